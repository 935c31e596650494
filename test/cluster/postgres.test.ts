/**
 * Eight nodes on one PostgreSQL, whose connections are cut, whose server is restarted, and who are told nothing: nothing is
 * missed, nothing comes twice, every node has the same journal, and what is published is soon everywhere again. A named
 * cursor goes from node to node meanwhile.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, References } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import type { NodeId } from "../../src/domain/NodeId.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { format } from "../../src/testing/history.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import * as Cluster from "./Cluster.ts"

/** How long anything may take that should be there within the polling interval, on a machine that is busy. */
const patienceMillis = 10_000

/** The connection over which a node is told what others write: it holds the node's lock. */
const listening = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"

describe.skipIf(skipsPostgres)("eight nodes on one PostgreSQL", () => {
  const server = sharedServer()

  const stores =
    (schema: string, pollInterval = "250 millis" as const) =>
    (node: NodeId): Layer.Layer<StoreServices, unknown> =>
      Postgres.layer({ url: server().url(schema), node, connectionsMax: 4, pollInterval })

  /** Publishes at one node, until every node's subscribers have got everything. */
  const lastWord = (nodes: ReadonlyArray<Cluster.ClusterNode>, load: Cluster.Load) =>
    Effect.forEach(nodes, (node) => load.publish(node, `${node.node.device} at last`, "shared"), { discard: true })

  it.live(
    "have one journal, and every subscriber gets all of it once, in order",
    () =>
      Effect.gen(function* () {
        const nodes = yield* Cluster.open(8, stores("plain"))
        const load = new Cluster.Load(nodes)
        yield* load.subscribe(4)
        const publishing = yield* Effect.forkChild(load.publishing)
        yield* Effect.repeat(Effect.sleep(5), { until: () => load.acknowledged >= 500 })
        load.stop()
        yield* Fiber.join(publishing)
        const verdict = yield* load.verdict(patienceMillis)
        expect(format(verdict)).toMatch(/^0 lost.*0 stuck$/)
        expect(yield* Cluster.sameJournals(nodes)).toBe(true)
      }).pipe(Effect.scoped),
    60_000,
  )

  it.live(
    "go on where connections are cut, the server is restarted, and hints are lost",
    () =>
      Effect.gen(function* () {
        const { start, stop, terminate } = server()
        const nodes = yield* Cluster.open(8, stores("rough"))
        const load = new Cluster.Load(nodes)
        yield* load.subscribe(4)
        const publishing = yield* Effect.forkChild(load.publishing)
        const more = (count: number) => {
          const before = load.acknowledged
          return Effect.repeat(Effect.sleep(5), { until: () => load.acknowledged >= before + count })
        }
        yield* more(50)
        expect(yield* terminate()).toBeGreaterThan(0)
        yield* more(50)
        expect(yield* terminate(listening)).toBeGreaterThan(0)
        yield* more(50)
        yield* stop
        yield* start
        yield* more(50)
        expect(yield* terminate()).toBeGreaterThan(0)
        yield* more(50)
        load.stop()
        yield* Fiber.join(publishing)
        // And then it is quiet: what is published now is told to nobody whose connection was just cut.
        yield* terminate(listening)
        yield* lastWord(nodes, load)
        const verdict = yield* load.verdict(patienceMillis)
        expect(format(verdict)).toMatch(/^0 lost.*0 stuck$/)
        expect(yield* Cluster.sameJournals(nodes)).toBe(true)
      }).pipe(
        Effect.scoped,
        // Every loss is told.
        Effect.provideService(References.MinimumLogLevel, "None"),
      ),
    120_000,
  )

  it.live(
    "hand a named cursor on, and skip nothing, where connections are cut and the server is restarted",
    () =>
      Effect.gen(function* () {
        const { start, stop, terminate } = server()
        const nodes = yield* Cluster.open(8, stores("cursors"))
        const load = new Cluster.Load(nodes)
        const handled: Array<number> = []
        const handle = ({ position }: Message) => Effect.sync(() => handled.push(position))
        // It is consumed at one node after the other, whoever had it before.
        const turn = ({ topics }: Cluster.ClusterNode) =>
          topics
            .consume("mail", "#", handle, { takeOver: true })
            .pipe(Effect.timeoutOption(200), Effect.ignore, Effect.andThen(Effect.sleep(5)))
        const consuming = yield* Effect.forkChild(Effect.forever(Effect.forEach(nodes, turn, { discard: true })))
        const publishing = yield* Effect.forkChild(load.publishing)
        const until = (messages: number) =>
          Effect.repeat(Effect.sleep(5), { until: () => new Set(handled).size >= messages })
        yield* until(50)
        expect(yield* terminate()).toBeGreaterThan(0)
        yield* until(100)
        yield* stop
        yield* start
        yield* until(150)
        load.stop()
        yield* Fiber.join(publishing)
        const { position } = yield* nodes[0]!.topics.cursor
        yield* until(position)
        yield* Fiber.interrupt(consuming)
        expect([...new Set(handled)]).toEqual(Array.from({ length: position }, (_, i) => i + 1))
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
    60_000,
  )

  /** A node that is told by a connection of its own, which is not made again, and never looks. */
  const trusting = (schema: string) => (node: NodeId) =>
    Layer.provideMerge(
      Layer.effect(
        LogStore,
        Effect.gen(function* () {
          const store = yield* LogStore
          const connection = yield* PgConnection.make({ ...server().connection, applicationName: "trusting" })
          const pinned = yield* connection.pin
          const told = yield* pinned.listen(`millrace ${schema}`)
          const listeners = new Set<(end: number) => void>()
          yield* Effect.forkScoped(
            Effect.forever(
              Effect.map(Queue.take(told), ({ payload }) => {
                const [what, , end] = payload.split(" ")
                if (what === "moved") for (const listener of listeners) listener(Number(end))
              }),
            ),
          )
          return {
            ...store,
            onMoved: (listener: (end: number) => void) => {
              listeners.add(listener)
              return () => listeners.delete(listener)
            },
          }
        }),
      ),
      stores(schema)(node),
    )

  it.live(
    "would miss what is published, if they trusted what they are told alone",
    () =>
      Effect.gen(function* () {
        const nodes = yield* Cluster.open(8, trusting("trusting"))
        const load = new Cluster.Load(nodes)
        yield* load.subscribe(4)
        const publishing = yield* Effect.forkChild(load.publishing)
        yield* Effect.repeat(Effect.sleep(5), { until: () => load.acknowledged >= 100 })
        load.stop()
        yield* Fiber.join(publishing)
        yield* server().terminate("application_name = 'trusting'")
        yield* load.publish(nodes[0]!, "the last", "shared")
        const verdict = yield* load.verdict(2000)
        expect(verdict.counts.stuck).toBeGreaterThan(0)
        expect(verdict.counts.lost).toBe(0)
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
    60_000,
  )
})
