/**
 * Before the tests run: builds the program that they start, and sees to it that all find it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { rolldown } from "rolldown"
import type { TestProject } from "vitest/node"
import { built, builtDirectory, builtFile, root } from "./program.ts"

/** Libraries that bring files of their own, such as compiled code. */
const external = [/^node:/, "@grpc/reflection", "grpc-health-check", "lmdb", "msgpackr", "ws"]

/** Another test run may be using what is there: a file is replaced as a whole, and only where it changes. */
const write = (path: string, text: string): void => {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return
  mkdirSync(dirname(path), { recursive: true })
  const written = `${path}.${process.pid}`
  writeFileSync(written, text)
  renameSync(written, path)
}

const build = async (): Promise<void> => {
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(Object.entries(built).map(([name, source]) => [name, join(root, source)])),
    platform: "node",
    external,
    logLevel: "warn",
  })
  const { output } = await bundle.generate({ format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name].js" })
  await bundle.close()
  const directory = dirname(builtFile("start"))
  for (const chunk of output) {
    if (chunk.type === "chunk") write(join(directory, chunk.fileName), chunk.code)
  }
  // What an earlier build left.
  const names = new Set(output.map(({ fileName }) => fileName))
  for (const name of readdirSync(directory)) {
    if (name.endsWith(".js") && !names.has(name)) rmSync(join(directory, name))
  }
  for (const path of ["bin/millrace.js", "package.json"]) {
    write(join(builtDirectory, path), readFileSync(join(root, path), "utf8"))
  }
}

export default async (project: TestProject): Promise<void> => {
  await build()
  project.onTestsRerun(build)
  process.env["PROGRAM_IS_BUILT"] = "yes"
}
