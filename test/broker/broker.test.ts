/** What `.broker` answers and announces, as a client of BUS/RT sees it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Broker from "../../src/broker/index.ts"
import * as Permissions from "../../src/access/Permissions.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { joined } from "../rpc/clients.ts"

const layer = Broker.layer({ author: "the tests", version: "1.2.3" }).pipe(
  Layer.provideMerge(Exchange.layer),
  Layer.provideMerge(Exchange.Router.layer()),
)

const read = (payload: Uint8Array): unknown => Result.getOrThrow(Rpc.MessagePack.decode(payload))

const ask = (rpc: Rpc.Rpc, method: string, params?: unknown) =>
  Effect.map(rpc.call(".broker", method, params === undefined ? undefined : Rpc.MessagePack.encode(params)), read)

const announcements = (client: Exchange.ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((frames) => frames.map(({ sender, topic, payload }) => [sender, topic, read(payload)])),
  )

describe("the broker answers", () => {
  it.effect("test, info and stats, which take no parameters", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { rpc } = yield* joined("app")
        expect(yield* ask(rpc, "test")).toEqual({ ok: true })
        expect(yield* ask(rpc, "info")).toEqual({ author: "the tests", version: "1.2.3" })
        yield* TestClock.adjust("90 seconds")
        // Two requests and their answers have gone through the exchange, and this request.
        expect(yield* ask(rpc, "stats")).toEqual({
          uptime: 90,
          r_frames: 5,
          r_bytes: expect.any(Number),
          w_frames: 5,
          w_bytes: expect.any(Number),
        })
        for (const method of ["test", "info", "stats"]) {
          expect(yield* Effect.flip(ask(rpc, method, {}))).toMatchObject({ _tag: "RpcError", code: -32602 })
        }
        expect(yield* Effect.flip(ask(rpc, "client.drop"))).toMatchObject({ _tag: "RpcError", code: -32601 })
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("client.list: primaries by name, with their figures, those alone that a filter finds", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const core = yield* Exchange.Router
        const { rpc } = yield* joined("app.b")
        yield* joined("app.a")
        yield* joined("app.a%%1")
        const outlet: Exchange.Outlet = {
          offer: () => true,
          flush: () => {},
          close: () => {},
          queued: () => 7,
          isCrowded: () => false,
          whenEased: (resume) => resume(),
        }
        core.register("on.tcp", { outlet, kind: "tcp", source: "10.0.0.1", port: 4000 })
        const { clients } = (yield* ask(rpc, "client.list")) as { clients: ReadonlyArray<Record<string, unknown>> }
        expect(clients.map(({ name, kind, instances }) => [name, kind, instances])).toEqual([
          [".broker", "internal", 1],
          ["app.a", "internal", 2],
          ["app.b", "internal", 1],
          ["on.tcp", "tcp", 1],
        ])
        expect(clients[3]).toEqual({
          name: "on.tcp",
          kind: "tcp",
          source: "10.0.0.1",
          port: "4000",
          r_frames: 0,
          r_bytes: 0,
          w_frames: 0,
          w_bytes: 0,
          queue: 7,
          instances: 1,
        })
        expect(clients[1]).toMatchObject({ source: null, port: null })
        const found = (params: unknown) =>
          Effect.map(ask(rpc, "client.list", params), (answer) =>
            (answer as { clients: ReadonlyArray<{ name: string }> }).clients.map(({ name }) => name),
          )
        expect(yield* found({ filter: "^app\\." })).toEqual(["app.a", "app.b"])
        expect(yield* found({ filter: null })).toHaveLength(4)
        expect(yield* found({})).toHaveLength(4)
        expect(yield* found({ filter: "nobody" })).toEqual([])
        for (const params of [{ filter: "(" }, { filter: "(?=a)" }, { filter: 1 }, "x", [1]]) {
          expect(yield* Effect.flip(ask(rpc, "client.list", params))).toMatchObject({ code: -32602 })
        }
        expect(yield* Effect.flip(rpc.call(".broker", "client.list", new Uint8Array([0xc1])))).toMatchObject({
          code: -32700,
        })
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("benchmark.test with the parameters as they came", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { rpc } = yield* joined("app")
        const params = new Uint8Array([0xc1, 0, 255])
        expect(yield* rpc.call(".broker", "benchmark.test", params)).toEqual(params)
        expect(yield* rpc.call(".broker", "benchmark.test")).toEqual(new Uint8Array(0))
      }),
    ).pipe(Effect.provide(layer)),
  )
})

describe("the broker announces", () => {
  it.effect("who comes and goes, but for secondaries, with the time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        yield* TestClock.setTime(1_700_000_000_123)
        const watching = yield* connect("watching")
        yield* watching.subscribe(Broker.infoTopic)
        const app = yield* joined("app")
        yield* joined("app%%1")
        yield* app.vanish
        const t = 1_700_000_000_123_000_000n
        expect(yield* announcements(watching, 2)).toEqual([
          [".broker", ".broker/info", { s: "reg", d: "app", t }],
          [".broker", ".broker/info", { s: "unreg", d: "app", t }],
        ])
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("its shutdown, to everybody who has not unsubscribed, whatever their access rules", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const services = yield* Layer.build(Layer.provideMerge(Exchange.layer, Exchange.Router.layer()))
        const scope = yield* Scope.make()
        yield* Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const core = yield* Exchange.Router
          const early = yield* connect("early")
          yield* Layer.buildWithScope(Broker.layer({ author: "a", version: "v" }), scope)
          const late = yield* connect("late")
          const deaf = yield* connect("deaf")
          yield* deaf.unsubscribe(Exchange.warnTopic)
          const frames: Array<string> = []
          const outlet: Exchange.Outlet = {
            offer: ({ topic }) => frames.push(topic) > 0,
            flush: () => {},
            close: () => {},
            queued: () => 0,
            isCrowded: () => false,
            whenEased: (resume) => resume(),
          }
          core.register("denied", { outlet, kind: "tcp", grants: Permissions.make("denied", {}) })
          yield* Scope.close(scope, Exit.void)
          for (const client of [early, late]) {
            expect(yield* announcements(client, 1)).toEqual([
              [".broker", ".broker/warn", { s: "shutdown", t: expect.anything() }],
            ])
          }
          expect(frames).toEqual([Exchange.warnTopic])
          // The broker is gone, and who is told nothing has nothing.
          expect(yield* Effect.flip(late.send(".broker", "x"))).toMatchObject({ _tag: "NotRegistered" })
          yield* late.send("deaf", "x")
          expect(yield* Stream.runCollect(Stream.take(deaf.inbox, 1))).toMatchObject([{ kind: "message" }])
        }).pipe(Effect.provide(services))
      }),
    ),
  )
})
