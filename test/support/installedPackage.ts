/**
 * The package as users have it: packed by npm, and unpacked where npm would put it.
 */
import { execFile } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)

const root = fileURLToPath(new URL("../..", import.meta.url))

/** No setting of the machine that the tests run on gets in, nor any of the test runner's. */
export const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MILLRACE_|NODE_OPTIONS$|NODE_PATH$|VITEST)/.test(name)),
)

export interface InstalledPackage {
  /** The directory of an app that has it installed. */
  readonly app: string
  /** The package's own directory in there. */
  readonly installed: string
  /** Paths in the package, as npm lists them. */
  readonly packed: ReadonlyArray<string>
}

/** Builds and packs this checkout, and installs it in an app in a directory. */
export const installPackage = async (directory: string): Promise<InstalledPackage> => {
  const app = join(directory, "app")
  const installed = join(app, "node_modules", "millrace")
  // Packing builds.
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", directory], { cwd: root, env })
  const [report] = JSON.parse(stdout.slice(stdout.indexOf("["))) as ReadonlyArray<{
    readonly filename: string
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  mkdirSync(installed, { recursive: true })
  await run("tar", ["-xzf", join(directory, report!.filename), "--strip-components=1", "-C", installed])
  // What it needs is found further up.
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }))
  return { app, installed, packed: report!.files.map(({ path }) => path) }
}
