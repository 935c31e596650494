/**
 * Topics on a disk that fails once, with EIO, at a sync: `failedFsyncApp.ts sqlite|lmdb PATH`, with the library of `fsyncFault`
 * loaded. Writes before, at and after the failure, and sends what came of it to its parent; then closes everything when
 * it is told to, if it is not killed before.
 */
import { renameSync, writeFileSync } from "node:fs"
import { Cause, Effect, Exit, Layer, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { backend as lmdb } from "../../src/storage/lmdb/preload.ts"
import { backend as sqlite } from "../../src/storage/sqlite/preload.ts"
import * as Worker from "../../src/storage/worker/index.ts"
import * as Topics from "../../src/topics/index.ts"

/** What came of an operation: `ok`, or the name of its error. */
export interface Came {
  readonly content: string
  readonly key: string | undefined
  readonly outcome: string
  readonly offset: number | undefined
}

export interface FailedFsyncReport {
  readonly before: ReadonlyArray<Came>
  /** Publishes of one commit, whose sync failed. */
  readonly at: ReadonlyArray<Came>
  readonly after: ReadonlyArray<Came>
  readonly deletion: string
  readonly check: string
  /** Contents of all that can be read afterwards, and as a subscription replays it. */
  readonly fetched: ReadonlyArray<string>
  readonly replayed: ReadonlyArray<string>
}

const [backend, path = ""] = process.argv.slice(2)

const failNextSync = (): void => {
  const fault = process.env["FSYNC_FAULT_FILE"]!
  writeFileSync(`${fault}.new`, "fail")
  renameSync(`${fault}.new`, fault)
}

const nameOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" ? error.value._tag : Cause.pretty(exit.cause)
}

const contents = (messages: ReadonlyArray<Message>): ReadonlyArray<string> =>
  messages.map(({ payload }) => Buffer.from(payload).toString("utf8"))

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  /** Publishes at once, every second one with a key. */
  const publish = (name: string, count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, i) => i),
      (i) => {
        const content = `${name} ${i}`
        const key = i % 2 === 0 ? undefined : `key of ${content}`
        return Effect.map(Effect.exit(topics.publish("t", content, { key })), (exit): Came => {
          const offset = Exit.isSuccess(exit) ? exit.value.offset : undefined
          return { content, key, outcome: nameOf(exit), offset }
        })
      },
      { concurrency: "unbounded" },
    )
  const before = yield* publish("before", 10)
  failNextSync()
  const at = yield* publish("at", 4)
  const after = yield* publish("after", 4)
  const deletion = nameOf(yield* Effect.exit(topics.deleteRange("t", 1, 1)))
  const check = nameOf(yield* Effect.exit(topics.check))
  const fetched = contents(yield* topics.fetch("t"))
  const replayed = yield* topics
    .subscribe("t", { from: "start" })
    .pipe(Stream.take(fetched.length), Stream.runCollect, Effect.map(contents))
  const report: FailedFsyncReport = { before, at, after, deletion, check, fetched, replayed }
  yield* Effect.callback<void>((resume) => {
    process.once("message", () => resume(Effect.void))
    process.send!(report)
  })
})

// As it is by itself, and is not opened again.
const store = Worker.layer({ module: backend === "lmdb" ? lmdb : sqlite, options: { path }, readers: 1 })
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Topics.layer.pipe(Layer.provide(store)))))
process.disconnect()
