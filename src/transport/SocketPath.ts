/**
 * Where a socket file can be: the kernel takes short paths only. A path that is too long has a short one in the
 * runtime directory, the same one for whoever asks for it.
 */
import { createHash } from "node:crypto"
import { chmodSync, lstatSync, mkdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { ListenFailed, wordsFor } from "./errors.ts"

/** The longest path of a socket, in bytes. */
export const pathBytesMax = process.platform === "linux" ? 107 : 103

/** A socket is made in a directory of its own, beside where it is to be: `/.XXXXXX/s`. */
export const makingBytes = 10

/** The longest path of a socket's directory, in bytes. */
const directoryBytesMax = pathBytesMax - makingBytes

/** What is too long about a socket's path, or `undefined`. Who only dials does not mind the directory's length. */
export const problem = (path: string, use: "listen" | "dial" = "listen"): string | undefined => {
  const bytes = Buffer.byteLength(path)
  if (bytes > pathBytesMax) return `a socket's path is at most ${pathBytesMax} bytes long, this one has ${bytes}`
  const directory = Buffer.byteLength(dirname(path))
  if (use === "dial" || directory <= directoryBytesMax) return undefined
  return `a socket's directory has a path of at most ${directoryBytesMax} bytes, this one has ${directory}`
}

/** What of the environment tells where sockets may be. */
export interface Surroundings {
  readonly runtimeDirectory: string | undefined
  readonly temporaryDirectory: string
  /** The user's number, where there is such a thing. */
  readonly user: number | undefined
}

export const surroundings = (): Surroundings => ({
  runtimeDirectory: process.env["XDG_RUNTIME_DIR"],
  temporaryDirectory: tmpdir(),
  user: process.getuid?.(),
})

/**
 * The path itself where a socket can be there; else one in the user's runtime directory, or in a directory of the
 * user's among the temporary ones.
 */
export const shortened = (path: string, { runtimeDirectory, temporaryDirectory, user }: Surroundings): string => {
  if (problem(path) === undefined) return path
  const name = `${createHash("sha256").update(resolve(path)).digest("hex").slice(0, 16)}.sock`
  const ofTemporary = join(temporaryDirectory, user === undefined ? "millrace" : `millrace-${user}`, name)
  if (runtimeDirectory === undefined || !runtimeDirectory.startsWith("/")) return ofTemporary
  const ofRuntime = join(runtimeDirectory, "millrace", name)
  return problem(ofRuntime) === undefined ? ofRuntime : ofTemporary
}

/**
 * Makes the directory of a shortened path, for its owner alone. One that is there and belongs to somebody else, or is
 * a link to elsewhere, is refused: the directory above it may be anybody's.
 */
export const makeDirectory = (path: string): Effect.Effect<void, ListenFailed> =>
  Effect.suspend(() => {
    const directory = dirname(path)
    const refuse = (why: string) =>
      new ListenFailed({
        endpoint: `unix:${path}`,
        reason: "not permitted",
        message: `the directory ${directory} cannot be used for sockets: ${why}`,
      })
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const found = lstatSync(directory)
      if (!found.isDirectory()) return refuse("it is no directory")
      const user = process.getuid?.()
      if (user !== undefined && found.uid !== user) return refuse("it is somebody else's")
      chmodSync(directory, 0o700)
      return Effect.void
    } catch (cause) {
      return refuse(wordsFor(cause))
    }
  })
