/** `effect/rpc` over an exchange, wherever its clients are: each exchange is a layer. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as EffectRpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Exchange from "../../../src/exchange/index.ts"
import * as OverTheBus from "../../../src/rpc/effect/index.ts"
import * as wire from "../../../src/rpc/effect/wire.ts"
import { bytes, until } from "../clients.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>("test/OutOfStock")("OutOfStock", {
  item: Schema.String,
  left: Schema.BigInt,
}) {}

const Values = Schema.Struct({
  bytes: Schema.Uint8Array,
  big: Schema.BigInt,
  date: Schema.Date,
  none: Schema.optionalKey(Schema.String),
  some: Schema.Option(Schema.Finite),
  text: Schema.String,
})

class Orders extends RpcGroup.make(
  EffectRpc.make("Order", {
    payload: { item: Schema.String, count: Schema.Int },
    success: Schema.Struct({ total: Schema.Int, by: Schema.String }),
    error: OutOfStock,
  }),
  EffectRpc.make("Echo", { payload: Values, success: Values }),
  EffectRpc.make("Nothing"),
  EffectRpc.make("Defect"),
  EffectRpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, error: OutOfStock, stream: true }),
  EffectRpc.make("Wait", { payload: { key: Schema.String } }),
  EffectRpc.make("WaitStream", { payload: { key: Schema.String }, success: Schema.Int, stream: true }),
) {}

/** What has begun, and what was interrupted. */
interface Seen {
  readonly begun: Set<string>
  readonly interrupted: Set<string>
  counted: number
}

const waiting = (seen: Seen, key: string) =>
  Effect.suspend(() => {
    seen.begun.add(key)
    return Effect.onInterrupt(Effect.never, () => Effect.sync(() => seen.interrupted.add(key)))
  })

const handlers = (seen: Seen) =>
  Orders.toLayer({
    Order: ({ item, count }, { headers }) =>
      count > 10
        ? Effect.fail(new OutOfStock({ item, left: 10n }))
        : Effect.succeed({ total: 2 * count, by: headers[OverTheBus.senderHeader] ?? "nobody" }),
    Echo: Effect.succeed,
    Nothing: () => Effect.void,
    Defect: () => Effect.die(new Error("broken")),
    Count: ({ to }) =>
      Stream.concat(
        Stream.tap(Stream.range(1, to), () => Effect.sync(() => seen.counted++)),
        to === 13 ? Stream.fail(new OutOfStock({ item: "numbers", left: 0n })) : Stream.empty,
      ).pipe(Stream.rechunk(10)),
    Wait: ({ key }) => waiting(seen, key),
    WaitStream: ({ key }) => Stream.concat(Stream.make(1), Stream.fromEffectDrain(waiting(seen, key))),
  })

const serve = (name: string, seen: Seen, handledMax?: number) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    yield* Layer.buildWithScope(
      RpcServer.layer(Orders).pipe(
        Layer.provide(handlers(seen)),
        Layer.provide(OverTheBus.layerServerProtocol({ name, handledMax })),
      ),
      scope,
    )
    return { stop: Scope.close(scope, Exit.void) }
  })

const clientOf = (name: string, target: string) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const services = yield* Layer.buildWithScope(OverTheBus.layerClientProtocol({ name, target }), scope)
    const client = yield* RpcClient.make(Orders).pipe(
      Scope.provide(scope),
      Effect.provideService(RpcClient.Protocol, Context.get(services, RpcClient.Protocol)),
    )
    return { client, leave: Scope.close(scope, Exit.void) }
  })

const nothingSeen = (): Seen => ({ begun: new Set(), interrupted: new Set(), counted: 0 })

const has = (set: ReadonlySet<string>, key: string) => until(Effect.sync(() => set.has(key)))

const causeTag = (error: unknown): unknown => (error as { reason: { cause: { _tag: string } } }).reason.cause._tag

export const effectRpcSuite = <E>(
  name: string,
  layer: () => Layer.Layer<Exchange.Exchange | Exchange.Router, E>,
): void => {
  const world = <A, E2>(
    program: (seen: Seen) => Effect.Effect<A, E2, Exchange.Exchange | Exchange.Router | Scope.Scope>,
  ): Effect.Effect<A, E | E2> =>
    Effect.suspend(() => Effect.scoped(program(nothingSeen())).pipe(Effect.provide(layer())))

  describe(`a group of RPCs ${name}`, () => {
    it.live("is called by name, with values and errors of its schemas", () =>
      world((seen) =>
        Effect.gen(function* () {
          yield* serve("orders", seen, 3)
          const { client } = yield* clientOf("shop", "orders")
          expect(yield* client.Order({ item: "pen", count: 3 })).toEqual({ total: 6, by: "shop" })
          const error = yield* Effect.flip(client.Order({ item: "pen", count: 11 }))
          expect(error).toBeInstanceOf(OutOfStock)
          expect(error).toMatchObject({ item: "pen", left: 10n })
          const forged = { headers: { [OverTheBus.senderHeader]: "somebody" } }
          expect(yield* client.Order({ item: "pen", count: 1 }, forged)).toMatchObject({ by: "shop" })
          const { Option } = yield* Effect.promise(() => import("effect"))
          const values = {
            bytes: bytes("\0\xff"),
            big: 2n ** 70n,
            date: new Date(1e12),
            some: Option.some(1.5),
            text: "__proto__",
          }
          expect(yield* client.Echo(values)).toEqual(values)
          expect(yield* client.Nothing()).toBeUndefined()
          // Whoever has that many defects is still served.
          for (let times = 0; times < 5; times++) {
            const exit = yield* Effect.exit(client.Defect())
            expect(Exit.isFailure(exit) && Cause.hasDies(exit.cause)).toBe(true)
          }
          // Whatever became of one call, the next works.
          expect(yield* client.Order({ item: "pen", count: 3 })).toEqual({ total: 6, by: "shop" })
        }),
      ),
    )

    it.live("streams, at the pace of who reads, in order, up to its end or its error", () =>
      world((seen) =>
        Effect.gen(function* () {
          yield* serve("orders", seen)
          const { client } = yield* clientOf("shop", "orders")
          const to = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
          expect(yield* Stream.runCollect(client.Count({ to: 1000 }))).toEqual(to(1000))
          const got: Array<number> = []
          const error = yield* client.Count({ to: 13 }).pipe(
            Stream.runForEach((n) => Effect.sync(() => void got.push(n))),
            Effect.flip,
          )
          expect([got, error]).toEqual([to(13), new OutOfStock({ item: "numbers", left: 0n })])
          // Who takes a few of many has few sent, and a stream that nobody reads holds up nothing else.
          seen.counted = 0
          const open = yield* Deferred.make<void>()
          const slow = yield* client.Count({ to: 1_000_000 }).pipe(
            Stream.take(25),
            Stream.tap((n) => (n === 5 ? Deferred.await(open) : Effect.void)),
            Stream.runCollect,
            Effect.forkChild,
          )
          yield* until(Effect.sync(() => seen.counted >= 30))
          expect(yield* client.Order({ item: "pen", count: 1 })).toMatchObject({ total: 2 })
          expect(seen.counted).toBeLessThan(200)
          yield* Deferred.succeed(open, undefined)
          expect(yield* Fiber.join(slow)).toEqual(to(25))
        }),
      ),
    )

    it.live("is interrupted where it runs when its caller is, or leaves", () =>
      world((seen) =>
        Effect.gen(function* () {
          yield* serve("orders", seen)
          const shop = yield* clientOf("shop", "orders")
          const other = yield* clientOf("other", "orders")
          const othersCall = yield* Effect.forkChild(other.client.Wait({ key: "other" }))
          for (const [call, key] of [
            [shop.client.Wait({ key: "call" }), "call"],
            [Stream.runDrain(shop.client.WaitStream({ key: "stream" })), "stream"],
          ] as const) {
            const fiber = yield* Effect.forkChild(call)
            yield* has(seen.begun, key)
            yield* Fiber.interrupt(fiber)
            yield* has(seen.interrupted, key)
          }
          const left = yield* Effect.forkChild(
            Effect.all([shop.client.Wait({ key: "left" }), Stream.runDrain(shop.client.WaitStream({ key: "left2" }))], {
              concurrency: 2,
            }),
          )
          yield* has(seen.begun, "left")
          yield* has(seen.begun, "left2")
          yield* shop.leave
          yield* has(seen.interrupted, "left")
          yield* has(seen.interrupted, "left2")
          yield* Fiber.await(left)
          expect(seen.interrupted.has("other")).toBe(false)
          const core = yield* Exchange.Router
          core.forceDisconnect("other")
          yield* has(seen.interrupted, "other")
          yield* Fiber.interrupt(othersCall)
        }),
      ),
    )

    it.live("fails at once when nobody has the name, or who has it is gone; and works when somebody has it again", () =>
      world((seen) =>
        Effect.gen(function* () {
          const core = yield* Exchange.Router
          const { client } = yield* clientOf("shop", "orders")
          const order = client.Order({ item: "pen", count: 1 })
          const absent = yield* Effect.flip(order)
          expect(absent._tag).toBe("RpcClientError")
          expect(causeTag(absent)).toBe("NotRegistered")
          for (const round of ["1", "2"]) {
            const server = yield* serve("orders", seen)
            expect(yield* order).toEqual({ total: 2, by: "shop" })
            const calls = yield* Effect.forkChild(
              Effect.all(
                [
                  Effect.flip(client.Wait({ key: round })),
                  Effect.flip(Stream.runDrain(client.WaitStream({ key: `${round} stream` }))),
                ],
                { concurrency: 2 },
              ),
            )
            yield* has(seen.begun, round)
            yield* has(seen.begun, `${round} stream`)
            core.forceDisconnect("orders")
            expect((yield* Fiber.join(calls)).map(causeTag)).toEqual(["CalleeGone", "CalleeGone"])
            yield* has(seen.interrupted, round)
            yield* server.stop
            expect(causeTag(yield* Effect.flip(order))).toBe("NotRegistered")
          }
        }),
      ),
    )

    it.live("is interrupted when its server stops, and so is its caller", () =>
      world((seen) =>
        Effect.gen(function* () {
          const server = yield* serve("orders", seen)
          const { client } = yield* clientOf("shop", "orders")
          const call = yield* Effect.forkChild(client.Wait({ key: "x" }))
          yield* has(seen.begun, "x")
          yield* server.stop
          expect(seen.interrupted.has("x")).toBe(true)
          const exit = yield* Fiber.await(call)
          expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
        }),
      ),
    )

    it.live("is answered only by its server, and only in its session", () =>
      world(() =>
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const orders = yield* connect("orders")
          const forger = yield* connect("forger")
          const { client } = yield* clientOf("shop", "orders")
          const call = yield* Effect.forkChild(client.Order({ item: "pen", count: 1 }))
          const [frame] = yield* Stream.runCollect(Stream.take(orders.inbox, 1))
          const { session, message } = wire.fromClient(frame!.payload)!
          const answer = (session: string, total: number) =>
            wire.encode(session, {
              _tag: "Exit",
              requestId: (message as { id: number }).id,
              exit: { _tag: "Success", value: { total, by: "" } },
            })
          yield* forger.send("shop", answer(session, 1))
          yield* orders.send("shop", answer("an earlier one", 2))
          yield* orders.send("shop", bytes("\0what is none"))
          yield* orders.send("shop", answer(session, 3))
          expect(yield* Fiber.join(call)).toMatchObject({ total: 3 })
        }),
      ),
    )

    it.live("is served on, whatever one of its callers sends", () =>
      world((seen) =>
        Effect.gen(function* () {
          yield* serve("orders", seen, 3)
          const { connect } = yield* Exchange.Exchange
          const rogue = yield* connect("rogue")
          const ask = (message: Parameters<typeof wire.encode>[1]) => rogue.send("orders", wire.encode("s", message))
          const wait = (id: number) =>
            ask({ _tag: "Request", id, tag: "Wait", payload: { key: `rogue ${id}` }, headers: [] })
          for (const id of [1, 1, 2, 3, 4, 5]) yield* wait(id)
          yield* ask({ _tag: "Request", id: 6, tag: "Unknown", payload: null, headers: [] })
          yield* ask({ _tag: "Ack", requestId: 99 })
          yield* ask({ _tag: "Interrupt", requestId: 98 })
          yield* rogue.send("orders", wire.encode("s", { _tag: "Request", id: {} } as never))
          yield* rogue.send("orders", bytes("\0\x93"))
          yield* rogue.send("orders", bytes(""))
          yield* ask({ _tag: "Eof" })
          yield* wait(7)
          const { client } = yield* clientOf("shop", "orders")
          expect(yield* client.Order({ item: "pen", count: 3 })).toEqual({ total: 6, by: "shop" })
          // More than so many at a time are refused.
          expect([...seen.begun].toSorted()).toEqual(["rogue 1", "rogue 2", "rogue 3"])
        }),
      ),
    )

    it.live("of several servers is each called by its own name, by several clients of an app", () =>
      world((seen) =>
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          yield* connect("app")
          yield* serve("orders.a", seen)
          yield* serve("orders.b", nothingSeen())
          const a = yield* clientOf("app%%a", "orders.a")
          const b = yield* clientOf("app%%b", "orders.b")
          const all = yield* Effect.forEach(
            Array.from({ length: 100 }, (_, i) => i),
            (i) => (i % 2 === 0 ? a : b).client.Order({ item: "pen", count: i % 10 }),
            { concurrency: "unbounded" },
          )
          expect(all).toEqual(all.map((_, i) => ({ total: 2 * (i % 10), by: i % 2 === 0 ? "app%%a" : "app%%b" })))
        }),
      ),
    )
  })
}
