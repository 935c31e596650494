/** Looking after the store of a node elsewhere: the same findings and bytes as beside it. */
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { GrpcServer, layerMaintenance, layerServer } from "../../../src/protocol/grpc/index.ts"
import { writeBackup } from "../../../src/storage/parts/BackupFile.ts"
import { Maintenance } from "../../../src/storage/Maintenance.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import * as Sqlite from "../../../src/storage/sqlite/index.ts"
import * as Topics from "../../../src/topics/index.ts"
import { temporaryDirectory } from "../../storage/temporaryDirectory.ts"

/** What looks after the store of a node that runs on a file, or in memory. */
const connect = (path: string | undefined) =>
  Effect.gen(function* () {
    const server = layerServer({ host: "127.0.0.1", port: 0 }).pipe(
      Layer.provideMerge(Topics.layer),
      Layer.provide(path === undefined ? Memory.layer({}) : Sqlite.layer({ path })),
      Layer.provide(path === undefined ? Layer.empty : Sqlite.layerMaintenance({ path })),
    )
    const context = yield* Layer.build(server)
    const { url } = Context.get(context, GrpcServer)
    const maintenance = Context.get(yield* Layer.build(layerMaintenance({ url })), Maintenance)
    return { maintenance, topics: Context.get(context, Topics.Topics) }
  })

describe("looking after a store over gRPC", () => {
  it.live("tells all that an examination finds", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "store.db")
      const { maintenance, topics } = yield* connect(path)
      yield* topics.publish("words", "one")
      const beside = new DatabaseSync(path)
      beside.exec("UPDATE millrace_logs SET head = 7; UPDATE millrace_journal SET last_position = 9")
      beside.close()
      const events = yield* Stream.runCollect(maintenance.examine)
      expect(events).toEqual(yield* Stream.runCollect(Sqlite.examine(path)))
      expect(events.flatMap((event) => (event._tag === "Found" ? [event.finding.kind] : []))).toEqual(["end", "head"])
    }),
  )

  it.live("gives a backup whose bytes are not all kept in memory, and clears up where nobody wants the rest", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = join(directory, "store.db")
      const { maintenance, topics } = yield* connect(path)
      for (let i = 0; i < 8; i++) yield* topics.publish("large", Buffer.alloc(3_000_000, i))
      const [first] = yield* Stream.runCollect(Stream.take(maintenance.backup, 1))
      expect(first!.totalBytes).toBeGreaterThan(24_000_000)
      expect(first!.bytes.byteLength).toBeLessThan(1_000_000)
      const isClear = () => readdirSync(dirname(path)).every((name) => !name.endsWith(".unfinished"))
      yield* Effect.repeat(Effect.yieldNow, { until: isClear })
      const to = join(directory, "backup.db")
      expect(yield* writeBackup(maintenance.backup, { to })).toBe(first!.totalBytes)
      const findings = yield* Stream.runCollect(Sqlite.examine(to))
      expect(findings.at(-1)).toMatchObject({ summary: { findings: 0, messages: 8 } })
    }),
  )

  it.live("says of a store in memory that there is no file", () =>
    Effect.gen(function* () {
      const { maintenance } = yield* connect(undefined)
      const message = "the node keeps its store in memory: there is no file"
      expect(yield* Effect.flip(Stream.runDrain(maintenance.examine))).toMatchObject({ _tag: "StorageFailed", message })
      expect(yield* Effect.flip(Stream.runDrain(maintenance.backup))).toMatchObject({ _tag: "StorageFailed", message })
    }),
  )
})
