/**
 * A named pipe that takes commands for the live plane, a line each (`controlLine.ts`), so that a shell script needs no
 * more than `echo`. What is written there is done in the name of `.fifo`, which may do everything: whoever may write to
 * the pipe, that is its owner, is the node's.
 *
 * A pipe that is there already is used as it is, with the permissions that it has, and left at the end.
 */
import { execFile } from "node:child_process"
import { closeSync, constants, fstatSync, openSync, rmSync } from "node:fs"
import { Socket } from "node:net"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { LineSplitter } from "../domain/LineSplitter.ts"
import { type ConnectError, connectWith, Router } from "../exchange/index.ts"
import * as Rpc from "../rpc/index.ts"
import * as ControlLine from "./controlLine.ts"
import { reasonOf, StartFailed } from "./StartFailed.ts"

/** In whose name lines are done. */
const clientName = ".fifo"

/** The longest line. */
const lineBytesMax = 64 * 1024

const newline = 0x0a

const failed = (path: string, why: string): StartFailed =>
  new StartFailed({ message: `the control FIFO ${path} cannot be used: ${why}` })

/** Makes the pipe where there is nothing, for its owner alone. Whether it did. */
const make = (path: string): Effect.Effect<boolean, StartFailed> =>
  Effect.callback((done) => {
    // Node has no call for it.
    execFile("mkfifo", ["-m", "600", "--", path], { env: { ...process.env, LC_ALL: "C" } }, (error, _, said) => {
      if (error === null) done(Effect.succeed(true))
      else if (/File exists/.test(said)) done(Effect.succeed(false))
      else done(Effect.fail(failed(path, said === "" ? reasonOf(error) : said.trim().replace(/^.*: /s, ""))))
    })
  })

/** Opens the pipe for reading, and for writing too: so it has no end when its last writer closes it. */
const open = (path: string): Effect.Effect<number, StartFailed> =>
  Effect.try({
    try: () => openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
    catch: (cause) => failed(path, reasonOf(cause)),
  }).pipe(
    Effect.tap((fd) => {
      if (fstatSync(fd).isFIFO()) return Effect.void
      closeSync(fd)
      return failed(path, "there is a file of that name that is no named pipe")
    }),
  )

/** Where the first newlines of a chunk end, so many of them; -1 where there are fewer. */
const behindNewlines = (chunk: Uint8Array, count: number): number => {
  let at = 0
  for (let left = count; left > 0; left--) {
    at = chunk.indexOf(newline, at) + 1
    if (at === 0) return -1
  }
  return at
}

/** Cuts what is written into lines, and leaves out those that are too long. */
class Lines {
  #splitter = new LineSplitter(lineBytesMax)
  #isSkipping = false

  /** The lines that end in this chunk; undefined stands for one that is too long. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array | undefined> {
    if (this.#isSkipping) return this.#skip(chunk, 1)
    const lines = this.#splitter.push(chunk)
    return this.#splitter.tooLong === undefined ? lines : [...lines, undefined, ...this.#skip(chunk, lines.length + 1)]
  }

  /** Goes on behind so many newlines. */
  #skip(chunk: Uint8Array, count: number): ReadonlyArray<Uint8Array | undefined> {
    const start = behindNewlines(chunk, count)
    this.#isSkipping = start === -1
    if (start === -1) return []
    this.#splitter = new LineSplitter(lineBytesMax)
    return this.push(chunk.subarray(start))
  }
}

const perform = (
  rpc: Rpc.Rpc,
  command: ControlLine.ControlCommand,
): Effect.Effect<void, { readonly message: string }> => {
  switch (command.type) {
    case "send":
      return rpc.client.send(command.to, command.message)
    case "broadcast":
      return rpc.client.broadcast(command.to, command.message)
    case "publish":
      return rpc.client.publish(command.to, command.message)
    case "notify":
      return rpc.notify(command.to, command.message)
    case "call":
      return rpc.callNoReply(command.to, command.method, command.params)
  }
}

const decoder = new TextDecoder()

const undone = (line: string, why: string): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logWarning(`a line of the control FIFO could not be done: ${why}`), { line })

/** Lines are done one after another. */
const obey = (rpc: Rpc.Rpc, bytes: Uint8Array | undefined): Effect.Effect<void> => {
  if (bytes === undefined) return undone("", `it is longer than ${lineBytesMax} bytes`)
  const line = decoder.decode(bytes)
  const parsed = ControlLine.parse(line)
  if (Result.isFailure(parsed)) return undone(line, parsed.failure)
  return parsed.success === undefined
    ? Effect.void
    : Effect.catch(perform(rpc, parsed.success), ({ message }) => undone(line, message))
}

/** Does what is written to the pipe, while the scope is open. */
export const serve = Effect.fnUntraced(function* (
  written: string,
): Effect.fn.Return<void, StartFailed | ConnectError, Router | Scope.Scope> {
  const path = resolve(written)
  const core = yield* Router
  yield* Effect.acquireRelease(make(path), (isOurs) =>
    Effect.sync(() => {
      if (isOurs) rmSync(path, { force: true })
    }),
  )
  const rpc = yield* Rpc.make(yield* connectWith(core, clientName, true))
  // The socket closes the handle.
  const socket = yield* Effect.acquireRelease(
    Effect.map(open(path), (fd) => new Socket({ fd, readable: true, writable: false })),
    (open) => Effect.sync(() => open.destroy()),
  )
  const lines = new Lines()
  yield* Stream.fromAsyncIterable<Buffer, StartFailed>(socket, (cause) => failed(path, reasonOf(cause))).pipe(
    Stream.runForEach((chunk) => Effect.forEach(lines.push(chunk), (line) => obey(rpc, line), { discard: true })),
    Effect.catch(({ message }) => Effect.logError(message)),
    Effect.forkScoped,
  )
})
