/**
 * A daemon that syncs with its peers and has the bug that PLANTED_BUG names. It takes the command line that the crash tests
 * give to the real one. Tests of replication that find nothing here would prove nothing about the real one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Layer, Option } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import { GrpcServer, layerServer, makePeer } from "../../src/protocol/grpc/index.ts"
import { Replication } from "../../src/replication/index.ts"
import type { LogStore } from "../../src/storage/LogStore.ts"
import { messagesIn } from "../../src/storage/parts/ReplicaBlocks.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { plantInStore } from "../topics/plantedBugs.ts"

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "" },
    grpc: { type: "string", default: "" },
    node: { type: "string", default: "" },
    peer: { type: "string", multiple: true, default: [] },
    admin: { type: "string" },
    busrt: { type: "string" },
    "sync-interval": { type: "string" },
  },
  allowPositionals: true,
})
const [host = "", port] = values.grpc.split(":")
mkdirSync(values.data, { recursive: true })

type Store = LogStore["Service"]

/** What was deleted before it came is stored as if it had not been. */
const forgetsTombstones = (right: Store): Partial<Store> => ({
  tombstone: (request) =>
    Effect.gen(function* () {
      if (request.marker !== undefined) return yield* right.tombstone(request)
      const to = Math.min(
        request.to,
        Option.getOrElse(yield* right.head(request.log), () => 0),
      )
      return to < request.from ? { deleted: 0, marker: undefined } : yield* right.tombstone({ ...request, to })
    }),
})

/** A marker is stored first, and what it deletes is deleted a little later. */
const marksFirst = Layer.effect(
  Topics.Replica,
  Effect.gen(function* () {
    const right = yield* Topics.Replica
    const within = yield* Effect.scope
    const laterMillis = 300
    return Topics.Replica.of({
      ...right,
      deleteRange: (log, from, to) =>
        Effect.asVoid(
          Effect.forkIn(Effect.ignore(Effect.delay(right.deleteRange(log, from, to), laterMillis)), within),
        ),
    })
  }),
)

/** How far it is with a log is saved before its messages are stored, and is what it goes by. */
const countsFirst = Layer.effect(
  Topics.Replica,
  Effect.gen(function* () {
    const right = yield* Topics.Replica
    const path = join(values.data, "counted.json")
    const counted: Record<string, number> = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {}
    const laterMillis = 100
    return Topics.Replica.of({
      ...right,
      heads: Effect.map(right.heads, (heads) =>
        heads.map((head) => ({ ...head, offset: Math.max(head.offset, counted[LogId.key(head)] ?? 0) })),
      ),
      head: (log) => Effect.map(right.head(log), (head) => Math.max(head, counted[LogId.key(log)] ?? 0)),
      acceptBlocks: (log, from, blocks) => {
        counted[LogId.key(log)] = from + messagesIn(blocks) - 1
        writeFileSync(path, JSON.stringify(counted))
        return Effect.delay(right.acceptBlocks(log, from, blocks), laterMillis)
      },
    })
  }),
)

const bug = process.env["PLANTED_BUG"]
const store = Sqlite.layerOnLoop({
  path: join(values.data, "millrace.sqlite"),
  node: await Effect.runPromise(NodeId.parse(values.node)),
})
const stores = bug === "forgets tombstones" ? plantInStore(store, forgetsTombstones) : store
const topics = Layer.provideMerge(Topics.layer, stores)

const replication = Layer.unwrap(
  Effect.gen(function* () {
    const links = yield* Effect.forEach(values.peer, (text) =>
      Effect.map(makePeer({ url: text.split("=")[0]! }), (peer) => ({ peer, settings: { intervalMillis: 100 } })),
    )
    return Replication.layer(links)
  }),
)

const replica = bug === "marks first" ? marksFirst : bug === "counts first" ? countsFirst : Layer.empty
const node = layerServer({ host, port: Number(port) }).pipe(
  Layer.provideMerge(replication),
  Layer.provideMerge(Layer.provideMerge(replica, topics)),
)

const fiber = Effect.runFork(
  Effect.gen(function* () {
    const { url } = yield* GrpcServer
    yield* Effect.sync(() => process.stdout.write(`millrace ready grpc=${url}\n`))
    return yield* Effect.never
  }).pipe(Effect.provide(node)),
)
process.on("SIGTERM", () => fiber.interruptUnsafe())
