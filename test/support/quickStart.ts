/**
 * Loaded before anything else in each process that runs tests, and by the storage threads that they start: those load what
 * was built (`program.ts`), where the store is one of ours. A test's own store has the sources.
 */
import module from "node:module"
import { isMainThread, workerData } from "node:worker_threads"
import { pathToFileURL } from "node:url"
import "../../src/storage/worker/quickResolve.ts"
import { built, builtFile, isBuilt, root } from "./program.ts"

if (!isMainThread && isBuilt()) {
  const files = new Map(
    Object.entries(built).map(([name, source]) => [
      pathToFileURL(root + source).href,
      pathToFileURL(builtFile(name)).href,
    ]),
  )
  const { module: store } = (workerData ?? {}) as { readonly module?: string }
  if (store === undefined || files.has(store)) {
    module.registerHooks({
      resolve(specifier, context, next) {
        const url = files.get(specifier)
        return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true }
      },
    })
  }
}
