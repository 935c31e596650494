/** The two planes in one process: what is published on one reaches the other. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import * as Bridge from "../../src/bridge/index.ts"
import { StorageFailed } from "../../src/domain/errors.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Queues from "../../src/queues/index.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { layer as layerTopics, Topics } from "../../src/topics/index.ts"

type Store = LogStore["Service"]

const bridged = (durable: ReadonlyArray<string> = [], change: (store: Store) => Partial<Store> = () => ({})) => {
  const store = Layer.effect(
    LogStore,
    LogStore.useSync((right) => LogStore.of({ ...right, ...change(right) })),
  ).pipe(Layer.provideMerge(Memory.layer()))
  return Layer.mergeAll(Bridge.layer({ durable }), Exchange.layer).pipe(
    Layer.provideMerge(Exchange.Router.layer()),
    Layer.provideMerge(Layer.mergeAll(layerTopics, Queues.layer).pipe(Layer.provideMerge(store))),
  )
}

const take = (client: Exchange.ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((all) =>
      all.map(({ sender, topic, payload }) => [sender, topic, new TextDecoder().decode(payload)].join(" ")),
    ),
  )

describe("a durable publish", () => {
  it.live("reaches live subscribers in the order of the journal, in the name of the bus", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      yield* topics.publish("news/0", "before anybody is interested")
      yield* ada.subscribe("news/#", "news/+", "old#")
      yield* topics.publish("news/1", "a")
      yield* topics.publishAll([
        { topic: "news/2", payload: "b" },
        { topic: "other", payload: "not for ada" },
        { topic: "news/1", payload: "c" },
      ])
      yield* ada.unsubscribe("news/#")
      yield* topics.publish("news/1", "d")
      yield* ada.exclude("news/1")
      yield* topics.publish("news/1", "not for ada any more")
      yield* topics.publish("news/2", "e")
      expect(yield* take(ada, 5)).toEqual([
        ".bus news/1 a",
        ".bus news/2 b",
        ".bus news/1 c",
        ".bus news/1 d",
        ".bus news/2 e",
      ])
    }).pipe(Effect.scoped, Effect.provide(bridged())),
  )

  it.live("reaches a live subscriber that does not keep up, at its pace", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const { connect } = yield* Exchange.Exchange
      const slow = yield* connect("slow", { inboxFramesMax: 100 })
      yield* slow.subscribe("t")
      const count = 5000
      const reading = yield* Effect.forkScoped(take(slow, count), { startImmediately: true })
      yield* topics.publishAll(Array.from({ length: count }, (_, i) => ({ topic: "t", payload: `${i}` })))
      expect(yield* Fiber.join(reading)).toEqual(Array.from({ length: count }, (_, i) => `.bus t ${i}`))
    }).pipe(Effect.scoped, Effect.provide(bridged())),
  )

  it.live("leaves a live subscriber that has stopped behind, and nobody else", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const { connect } = yield* Exchange.Exchange
      const stopped = yield* connect("stopped", { inboxFramesMax: 100 })
      const quick = yield* connect("quick")
      yield* stopped.subscribe("t")
      yield* quick.subscribe("t")
      const reading = yield* Effect.forkScoped(take(quick, 5000))
      for (let i = 0; i < 5000; i += 500) {
        yield* topics.publishAll(Array.from({ length: 500 }, (_, j) => ({ topic: "t", payload: `${i + j}` })))
      }
      expect((yield* Fiber.join(reading)).at(-1)).toBe(".bus t 4999")
      expect((yield* Effect.flip(Stream.runDrain(stopped.inbox))).reason).toBe("overflow")
    }).pipe(Effect.scoped, Effect.provide(bridged())),
  )

  it.live("is not delivered where it was deleted meanwhile, and no marker is", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      yield* ada.subscribe("#")
      yield* topics.publish("t", "1")
      yield* topics.deleteRange("t", 1, 1)
      yield* topics.publish("t", "2")
      expect(yield* take(ada, 2)).toEqual([".bus t 1", ".bus t 2"])
    }).pipe(Effect.scoped, Effect.provide(bridged())),
  )
})

const notStored = Effect.map(
  Metric.snapshot,
  (all) => all.find(({ id }) => id === "millrace_live_not_stored_total")?.state as { readonly count: number },
)

describe("a live publish on a durable topic", () => {
  it.live("is stored, delivered once in the name of who sent it, and then acknowledged", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      const bob = yield* connect("bob")
      yield* bob.subscribe("orders/#", "live")
      yield* ada.publish("orders/1", "a")
      yield* ada.publishAll("orders/1", ["b", "c"], { isRealtime: true })
      yield* bob.publish("orders/2", "mine")
      yield* ada.publish("live", "d")
      yield* ada.publish("orders/1", "for bob alone", { receiver: "bob" })
      expect(yield* take(bob, 6)).toEqual([
        "ada orders/1 a",
        "ada orders/1 b",
        "ada orders/1 c",
        "bob orders/2 mine",
        "ada live d",
        "ada orders/1 for bob alone",
      ])
      const stored = yield* topics.fetch("orders/1")
      expect(stored.map(({ offset, payload }) => [offset, Buffer.from(payload).toString()])).toEqual([
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ])
      expect(yield* topics.head("live")).toEqual(Option.none())
    }).pipe(Effect.scoped, Effect.provide(bridged(["orders/#"]))),
  )

  it.live("shares a commit with those of the same moment", () => {
    const commits: Array<number> = []
    const counting = (store: Store): Partial<Store> => ({
      append: (requests) => {
        commits.push(requests.length)
        return store.append(requests)
      },
    })
    return Effect.gen(function* () {
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      yield* ada.publishAll(
        "t",
        Array.from({ length: 100 }, (_, i) => `${i}`),
      )
      expect(commits).toEqual([100])
    }).pipe(Effect.scoped, Effect.provide(bridged(["t"], counting)))
  })

  it.live("that cannot be stored is not delivered, fails, and is counted", () => {
    let isBroken = true
    const failing = (store: Store): Partial<Store> => ({
      append: (requests) =>
        isBroken
          ? Effect.fail(new StorageFailed({ operation: "append", message: "the disk is on strike" }))
          : store.append(requests),
    })
    return Effect.gen(function* () {
      const { connect } = yield* Exchange.Exchange
      const ada = yield* connect("ada")
      yield* ada.subscribe("#")
      expect((yield* Effect.flip(ada.publish("t", "lost")))._tag).toBe("StorageFailed")
      yield* ada.publish("t", "lost too", { isProcessed: false })
      expect((yield* Effect.flip(ada.publish("t", Buffer.alloc(4 * 1024 * 1024))))._tag).toBe("MessageTooLarge")
      expect((yield* Effect.flip(ada.publish("a+b", "no durable topic")))._tag).toBe("InvalidArgument")
      isBroken = false
      yield* ada.publish("t", "stored")
      expect(yield* take(ada, 1)).toEqual(["ada t stored"])
      expect((yield* notStored).count).toBe(4)
      expect((yield* Exchange.Router).unsettled.bytes).toBe(0)
    }).pipe(
      Effect.scoped,
      Effect.provide(bridged(["#"], failing)),
      Effect.provideService(References.MinimumLogLevel, "None"),
    )
  })

  it("copies what is lent", async () => {
    const exit = await Effect.runPromiseExit(
      Effect.gen(function* () {
        const core = yield* Exchange.Router
        const topics = yield* Topics
        const lent = Buffer.from("lent")
        const outlet: Exchange.Outlet = {
          offer: () => true,
          flush: () => {},
          close: () => {},
          queued: () => 0,
          isCrowded: () => false,
          whenEased: (resume) => resume(),
        }
        const ada = core.register("ada", { outlet, kind: "tcp" }) as Exchange.Member
        yield* Effect.callback<void>((resume) => {
          const outcome = core.publish(ada, "t", lent, true, false, (settled) => {
            expect(settled).toBe("ok")
            resume(Effect.void)
          })
          expect(outcome).toBeUndefined()
          lent.fill("x")
        })
        const [stored] = yield* topics.fetch("t")
        expect(Buffer.from(stored!.payload).toString()).toBe("lent")
      }).pipe(Effect.provide(bridged(["t"]))),
    )
    expect(Exit.isSuccess(exit)).toBe(true)
  })
})

it.effect("a filter that is none is refused", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Layer.build(bridged(["a/b+"])))
    expect(error).toMatchObject({ _tag: "InvalidArgument", argument: "durable" })
  }).pipe(Effect.scoped),
)
