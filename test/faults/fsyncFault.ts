/**
 * A disk that is slow, hangs or fails, for one child process: a small library that is loaded before the C library and
 * does what a file says each time something is synced. The test writes that file.
 */
import { execFile } from "node:child_process"
import { existsSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect } from "effect"
import { pathTo } from "../crash/Program.ts"

/** Milliseconds longer; not before something else is said; EIO once; EIO each time; as ever. */
export type Fault = `delay ${number}` | "hold" | "fail" | "broken" | "none"

export interface FsyncFault {
  /** For the child process. */
  readonly env: Readonly<Record<string, string>>
  /** Holds for each sync that begins from now on, and ends a hold. */
  readonly set: (fault: Fault) => void
  /** Whether a failure that was asked for has not happened yet. */
  readonly isPending: () => boolean
}

export const compiler = ["/usr/bin/cc", "/usr/local/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"].find(existsSync)

/** Why faults cannot be injected here, if so. Where tests must not be skipped (CI=true) a missing compiler is an error. */
export const obstacle = ((): string | undefined => {
  if (process.platform === "linux" && compiler !== undefined) return undefined
  const why = process.platform === "linux" ? "there is no C compiler" : "LD_PRELOAD is Linux's"
  if (process.platform === "linux" && process.env["CI"] === "true") {
    throw new Error(`faults of fsync cannot be tested: ${why}`)
  }
  console.warn(`faults of fsync are not tested: ${why}`)
  return why
})()

const compilerFlags = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-ldl"]

/** Makes a library for LD_PRELOAD of one of the files in `shim`. */
export const compile = (source: string, library: string): Effect.Effect<void> =>
  Effect.asVoid(
    Effect.promise(() =>
      promisify(execFile)(compiler!, ["-o", library, pathTo(import.meta.url, `./shim/${source}`), ...compilerFlags]),
    ),
  )

/** Compiles the library into a directory. */
export const make = (directory: string): Effect.Effect<FsyncFault> =>
  Effect.gen(function* () {
    const library = join(directory, "fsync-fault.so")
    const faultFile = join(directory, "fault")
    yield* compile("fsync.c", library)
    return {
      env: { LD_PRELOAD: library, FSYNC_FAULT_FILE: faultFile },
      set: (fault) => {
        // In one step: a reader never finds half of it.
        writeFileSync(`${faultFile}.new`, fault)
        renameSync(`${faultFile}.new`, faultFile)
      },
      isPending: () => existsSync(faultFile),
    }
  })
