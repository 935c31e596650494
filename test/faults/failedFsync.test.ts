/**
 * A sync that fails leaves it open what is on the disk. The store says so, writes no more, and is whole when it is opened
 * again: what was acknowledged is there, and what was in doubt can be repeated under its key.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { check, format, type Outcome, type Write } from "../../src/testing/history.ts"
import { storedOf } from "../../src/testing/reader.ts"
import * as Topics from "../../src/topics/index.ts"
import * as Program from "../crash/Program.ts"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import type { Came, FailedFsyncReport } from "./failedFsyncApp.ts"
import * as FsyncFault from "./fsyncFault.ts"

const log = { topic: "t", origin: defaultNodeId }

const backends = { sqlite: Sqlite, lmdb: Lmdb }
type Backend = keyof typeof backends

const outcomes: Readonly<Record<string, Outcome>> = { ok: "ok", OutcomeUnknown: "unknown", StorageFailed: "failed" }

const writeOf = ({ content, outcome, offset }: Came): Write => ({
  ...log,
  // Publishes that were made at once have no order between them that matters here.
  writer: content,
  content,
  outcome: outcomes[outcome]!,
  offset,
})

/** Runs the application up to where it has said what happened, and lets it end in some way. */
const runApp = (backend: Backend, path: string, env: Readonly<Record<string, string>>, end: "closed" | "killed") =>
  Effect.scoped(
    Effect.gen(function* () {
      const reported = yield* Deferred.make<FailedFsyncReport>()
      const app = yield* Program.start([Program.pathTo(import.meta.url, "./failedFsyncApp.ts"), backend, path], {
        env,
        onMessage: (message) => Deferred.doneUnsafe(reported, Effect.succeed(message as FailedFsyncReport)),
      })
      const crashed = Effect.flatMap(app.ended, () => Effect.die(new Error(app.stderr)))
      const report = yield* Effect.raceFirst(Deferred.await(reported), crashed)
      if (end === "killed") yield* app.end("SIGKILL")
      else {
        app.send({ close: true })
        expect(yield* app.ended).toEqual({ code: 0, signal: null })
      }
      return report
    }),
  )

/** Opens the store, repeats what is in doubt or failed, and publishes something new: gives all writes, and all that is stored. */
const openAgain = (backend: Backend, path: string, { at, after }: FailedFsyncReport) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(Topics.layer.pipe(Layer.provide(backends[backend].layer({ path }))))
    const topics = Context.get(services, Topics.Topics)
    const writes: Array<Write> = []
    const repeated = [...at, ...after].filter(({ key }) => key !== undefined)
    for (const { content, key } of [...repeated, ...repeated, { content: "new", key: undefined }]) {
      const { offset } = yield* topics.publish("t", content, { key })
      writes.push(writeOf({ content, key, outcome: "ok", offset }))
    }
    yield* topics.check
    return { writes, final: (yield* topics.fetch("t")).map(storedOf) }
  }).pipe(Effect.scoped)

describe.skipIf(FsyncFault.obstacle !== undefined)("a sync that fails", () => {
  for (const [backend, end] of [
    ["sqlite", "closed"],
    ["sqlite", "killed"],
    ["lmdb", "closed"],
    ["lmdb", "killed"],
  ] as const) {
    it.live(
      `is reported, stops all writing, and leaves a store of ${backend} that is whole after it was ${end}`,
      () =>
        Effect.gen(function* () {
          const directory = yield* diskDirectory
          const fault = yield* FsyncFault.make(directory)
          const path = join(directory, "bus")
          const report = yield* runApp(backend, path, fault.env, end)

          expect(fault.isPending()).toBe(false)
          expect(report.before.map(({ outcome }) => outcome)).toEqual(report.before.map(() => "ok"))
          expect(report.at.map(({ outcome }) => outcome)).toEqual(report.at.map(() => "OutcomeUnknown"))
          expect(report.after.map(({ outcome }) => outcome)).toEqual(report.after.map(() => "StorageFailed"))
          expect(report.deletion).toBe("StorageFailed")
          expect(report.check).toBe("StorageFailed")
          const acknowledged = report.before.map(({ content }) => content)
          expect(report.fetched).toEqual(acknowledged)
          expect(report.replayed).toEqual(acknowledged)

          const { writes, final } = yield* openAgain(backend, path, report)
          const verdict = check({
            writes: [...[...report.before, ...report.at, ...report.after].map(writeOf), ...writes],
            deletions: [],
            final,
            reads: [
              {
                reader: "after opening again",
                seen: final,
                expected: new Map([[LogId.key(log), { firstMin: 1, firstMax: 1, last: final.length }]]),
              },
            ],
          })
          expect(format(verdict)).toBe(
            "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck",
          )
          expect(final.at(-1)!.content).toBe("new")
        }),
      60_000,
    )
  }
})
