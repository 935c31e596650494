/**
 * Makes starting quicker, by importing it first: most of a start is loading some two hundred small modules of a few
 * packages, and most of that is looking up, for each of them, which package it is in and of what kind it is. Between
 * modules of one package whose kind is known, a relative specifier needs no looking up.
 *
 * Measured on two cores with compiled code cached: loading effect takes 210 ms instead of 360 ms.
 */
import module from "node:module"

/** Packages that consist of nothing but ES modules, which name each other in full. */
const packages = ["/node_modules/effect/dist/", "/node_modules/@bufbuild/protobuf/dist/esm/"]

module.registerHooks({
  resolve(specifier, context, next) {
    const parent = context.parentURL
    return specifier.startsWith(".") &&
      specifier.endsWith(".js") &&
      parent !== undefined &&
      packages.some((path) => parent.includes(path))
      ? { url: new URL(specifier, parent).href, format: "module", shortCircuit: true }
      : next(specifier, context)
  },
})
