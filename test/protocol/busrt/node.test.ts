/** Topics, queues and the exchange of a node, for an app that has no more of it than the URL of its socket. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { Access } from "../../../src/access/Access.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import { Queues } from "../../../src/queues/index.ts"
import * as Laws from "../../../src/testing/laws.ts"
import * as QueueLaws from "../../../src/testing/queueLaws.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import { Topics } from "../../../src/topics/index.ts"
import * as Endpoint from "../../../src/transport/Endpoint.ts"
import { layerBusNode } from "../../bridge/BusNode.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 40)

/** What an app has of a node over TCP. */
const layerOverSocket = (disk = Memory.makeDisk()) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const endpoint: Endpoint.Endpoint = { kind: "tcp", host: "127.0.0.1", port: 0 }
      const node = Busrt.layerServer({ endpoints: [endpoint] }).pipe(
        Layer.provide(layerBusNode({ disk })),
        Layer.provide(Access.layerOpen),
      )
      const services = yield* Layer.build(Layer.fresh(node))
      const [listening] = Context.get(services, Busrt.BusrtServer).endpoints
      return Busrt.layer({ url: Endpoint.format(listening!) })
    }),
  )

describe("a node over its socket", () => {
  it.live("has its three planes at one URL", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const queues = yield* Queues
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      yield* ada.subscribe("orders/#")
      const { offset } = yield* topics.publish("orders/eu", "1")
      expect(offset).toBe(1)
      const [publication] = yield* ada.inbox.pipe(Stream.take(1), Stream.runCollect)
      expect(publication).toMatchObject({ kind: "publication", topic: "orders/eu" })
      const [replayed] = yield* topics.subscribe("orders/+", { from: "start" }).pipe(Stream.take(1), Stream.runCollect)
      expect(new TextDecoder().decode(replayed!.payload)).toBe("1")
      yield* queues.enqueue("mails", "hello")
      const front = Option.getOrThrow(yield* queues.peek("mails"))
      expect(new TextDecoder().decode(front.payload)).toBe("hello")
    }).pipe(Effect.scoped, Effect.provide(layerOverSocket())),
  )

  it.live("says what is wrong with a URL, and that nobody answers", () =>
    Effect.gen(function* () {
      const failed = (url: string) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(Busrt.layer({ url })))), ({ _tag }) => _tag)
      expect(yield* failed("grpc://127.0.0.1:1")).toBe("InvalidArgument")
      expect(yield* failed("tcp:127.0.0.1:1")).toBe("Unavailable")
    }),
  )

  it.live(
    "topics keep the laws",
    () => {
      const disk = Memory.makeDisk()
      return Laws.ordering({ layer: layerOverSocket(disk), reopens: true }, { runs })
    },
    120_000,
  )

  it.live(
    "queues keep the laws",
    () => QueueLaws.fifo(() => ({ layer: layerOverSocket(), reopens: false }), { runs }),
    120_000,
  )
})
