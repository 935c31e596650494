/**
 * A small disk that a test can fill: a tmpfs of its own, mounted for as long as the scope is open.
 */
import { execFile, execFileSync } from "node:child_process"
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"

const mount = (directory: string, bytes: number): ReadonlyArray<string> => [
  "-t",
  "tmpfs",
  "-o",
  `size=${bytes},mode=0700`,
  "millrace-test",
  directory,
]

/** Why there can be no such disk here, if so. Where tests must not be skipped (CI=true) that is an error. */
export const obstacle = ((): string | undefined => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-mount-"))
  try {
    execFileSync("mount", mount(directory, 65_536), { stdio: "pipe" })
    execFileSync("umount", [directory], { stdio: "pipe" })
    return undefined
  } catch (error) {
    if (process.env["CI"] === "true") throw error
    const why = `a tmpfs cannot be mounted (${String(error)})`
    console.warn(`full disks are not tested: ${why}`)
    return why
  } finally {
    rmdirSync(directory)
  }
})()

/** The directory of a new disk of so many bytes. */
export const make = (bytes: number): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = mkdtempSync(join(tmpdir(), "millrace-disk-"))
      await promisify(execFile)("mount", mount(directory, bytes))
      return directory
    }),
    (directory) =>
      Effect.promise(async () => {
        await promisify(execFile)("umount", [directory])
        rmdirSync(directory)
      }),
  )

/** Something else on the disk that takes space until it is removed. */
export const ballast = (directory: string, bytes: number): { readonly remove: () => void } => {
  const path = join(directory, "ballast")
  writeFileSync(path, Buffer.alloc(bytes))
  return { remove: () => rmSync(path) }
}
