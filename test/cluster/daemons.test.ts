/**
 * Eight daemons on one PostgreSQL, each a process of its own with clients of its own. Connections are cut, the server is
 * restarted, and one of the daemons is killed and started again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { format as formatNode } from "../../src/domain/NodeId.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { format } from "../../src/testing/history.ts"
import { Topics } from "../../src/topics/index.ts"
import * as Daemon from "../crash/Daemon.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import * as Cluster from "./Cluster.ts"

const count = 8

/** How long subscribers may take to get what is left, on a machine that is busy. */
const patienceMillis = 20_000

describe.skipIf(skipsPostgres)("eight daemons on one PostgreSQL", () => {
  // Each may have eleven connections.
  const server = sharedServer({ max_connections: "150" })

  it.live(
    "have one journal, and every subscriber gets all of it once, in order, whatever breaks",
    () =>
      Effect.gen(function* () {
        const { start, stop, terminate, url } = server()
        const env = { MILLRACE_STORAGE: Redacted.value(url("daemons")) }
        const daemons = yield* Effect.forEach(
          Array.from({ length: count }, (_, i) => Cluster.clusterNodeId(i)),
          (node) => Daemon.make({ env, flags: ["--node", formatNode(node)] }),
        )
        yield* Effect.forEach(daemons, (daemon) => daemon.start, { concurrency: 2, discard: true })
        const nodes = yield* Effect.forEach(daemons, (daemon, i) =>
          Effect.map(Layer.build(Layer.fresh(layerTopics({ url: daemon.url }))), (services) => ({
            node: Cluster.clusterNodeId(i),
            topics: Context.get(services, Topics),
          })),
        )
        const load = new Cluster.Load(nodes)
        yield* load.subscribe(4)
        const publishing = yield* Effect.forkChild(load.publishing)
        const more = (messages: number) => {
          const before = load.acknowledged
          return Effect.repeat(Effect.sleep(5), { until: () => load.acknowledged >= before + messages })
        }
        yield* more(50)
        yield* daemons[0]!.kill
        expect(yield* terminate()).toBeGreaterThan(0)
        yield* more(50)
        yield* daemons[0]!.start
        yield* stop
        yield* start
        yield* more(50)
        load.stop()
        yield* Fiber.join(publishing)
        const verdict = yield* load.verdict(patienceMillis)
        expect(format(verdict)).toMatch(/^0 lost.*0 stuck$/)
        expect(yield* Cluster.sameJournals(nodes)).toBe(true)
        for (const daemon of daemons) expect(yield* daemon.stop).toMatchObject({ code: 0 })
      }).pipe(Effect.scoped),
    120_000,
  )
})
