/**
 * The file of a Unix socket: who may have the path, and that nobody else's is touched.
 *
 * A socket is made in a private directory beside its path, given its permissions there, and then linked into its place:
 * nobody can connect before, and where two want the same place one of them gets it. Only a socket that nobody answers
 * at is replaced, and it is looked at again after it was taken out of the way. The file is removed only if it is the
 * one that was put there.
 */
import { chmodSync, linkSync, lstatSync, mkdtempSync, renameSync, rmSync, type Stats, unlinkSync } from "node:fs"
import * as net from "node:net"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { codeOf, ListenFailed, wordsFor } from "../errors.ts"
import { problem } from "../SocketPath.ts"

/** Whoever listens answers sooner; a queue of connections that is full makes no sign. */
const answerMillis = 1000

/** What is at a path: nothing, or a socket that nobody answers at. Everything else is a failure. */
type Found = "nothing" | Stats

/** A socket of ours that is listened on in its own directory, and not yet in its place. */
export interface SocketFile {
  /** Where to listen first. */
  readonly makingPath: string
  /** Puts the socket that listens there into its place. */
  readonly publish: Effect.Effect<void, ListenFailed>
  /** Takes away whatever is ours. */
  readonly remove: () => void
}

const failed = (path: string, reason: ListenFailed["reason"], why: string): ListenFailed =>
  new ListenFailed({ endpoint: `unix:${path}`, reason, message: `cannot listen on unix:${path}: ${why}` })

const reasons: Readonly<Record<string, ListenFailed["reason"]>> = {
  EACCES: "not permitted",
  EEXIST: "in use",
  ENOENT: "no such place",
  ENOTDIR: "no such place",
  EPERM: "not permitted",
  EROFS: "not permitted",
}

const failedBy = (path: string, cause: unknown): ListenFailed =>
  failed(path, reasons[codeOf(cause) ?? ""] ?? "failed", wordsFor(cause))

const inUse = (path: string): ListenFailed => failed(path, "in use", "somebody listens there already")

const isSame = (a: Stats, b: Stats): boolean => a.dev === b.dev && a.ino === b.ino

/** Looks at a path without changing anything. */
const look = (path: string): Effect.Effect<Found, ListenFailed> =>
  Effect.suspend(() => {
    let found: Stats | undefined
    try {
      found = lstatSync(path, { throwIfNoEntry: false })
    } catch (cause) {
      return failedBy(path, cause)
    }
    if (found === undefined) return Effect.succeed("nothing")
    if (!found.isSocket()) {
      return failed(path, "not a socket", "there is a file that is no socket, and it is left alone")
    }
    const stale = found
    return Effect.callback<Found, ListenFailed>((resume) => {
      const socket = net.connect({ path })
      const timer = setTimeout(() => done(inUse(path)), answerMillis)
      const done = (answer: Effect.Effect<Found, ListenFailed>): void => {
        clearTimeout(timer)
        socket.destroy()
        resume(answer)
      }
      socket.on("connect", () => done(inUse(path)))
      socket.on("error", (cause) => {
        const code = codeOf(cause)
        if (code === "ECONNREFUSED") return done(Effect.succeed(stale))
        if (code === "ENOENT") return done(Effect.succeed("nothing"))
        // A queue of connections that is full.
        if (code === "EAGAIN") return done(inUse(path))
        done(failedBy(path, cause))
      })
      return Effect.sync(() => {
        clearTimeout(timer)
        socket.destroy()
      })
    })
  })

/** Takes a stale socket away; gives false where another one has come into its place meanwhile. */
const clear = (path: string, stale: Stats, asidePath: string): boolean => {
  try {
    renameSync(path, asidePath)
  } catch (cause) {
    // Somebody else has taken it away.
    if (codeOf(cause) === "ENOENT") return true
    throw cause
  }
  if (isSame(lstatSync(asidePath), stale)) {
    unlinkSync(asidePath)
    return true
  }
  linkSync(asidePath, path)
  unlinkSync(asidePath)
  return false
}

/** Begins to take a path for a socket with these permissions. */
export const take = (path: string, mode: number): Effect.Effect<SocketFile, ListenFailed> =>
  Effect.gen(function* () {
    const tooLong = problem(path)
    if (tooLong !== undefined) return yield* failed(path, "path too long", tooLong)
    const found = yield* look(path)
    let directory: string
    try {
      directory = mkdtempSync(`${dirname(path)}/.`)
    } catch (cause) {
      return yield* failedBy(path, cause)
    }
    const makingPath = `${directory}/s`
    let ours: Stats | undefined

    const publish = Effect.suspend(() => {
      try {
        chmodSync(makingPath, mode)
        const made = lstatSync(makingPath)
        if (found !== "nothing" && !clear(path, found, `${directory}/o`)) return inUse(path)
        linkSync(makingPath, path)
        ours = made
        rmSync(directory, { recursive: true })
        return Effect.void
      } catch (cause) {
        return failedBy(path, cause)
      }
    })

    const remove = (): void => {
      rmSync(directory, { recursive: true, force: true })
      if (ours === undefined) return
      const now = lstatSync(path, { throwIfNoEntry: false })
      if (now !== undefined && isSame(now, ours)) rmSync(path, { force: true })
    }
    return { makingPath, publish, remove }
  })
