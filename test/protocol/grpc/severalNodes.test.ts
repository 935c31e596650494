/**
 * Clients of several nodes on one store: what one publishes the other's client gets, and a queue or a cursor has one holder
 * among all of them.
 */
import { expect, it, vi } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import type { Message } from "../../../src/domain/Message.ts"
import type { QueueItem } from "../../../src/domain/QueueItem.ts"
import { GrpcServer } from "../../../src/protocol/grpc/index.ts"
import * as Memory from "../../../src/storage/memory/index.ts"
import { nodeNamed } from "../../topics/sharedMemory.ts"
import { connect, connectQueues, layerNode } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

/** The URLs of two nodes on one store. */
const twoNodes = Effect.suspend(() => {
  const disk = Memory.makeDisk({ shared: true })
  return Effect.forEach(["one", "two"], (device) =>
    Effect.map(Layer.build(Layer.fresh(layerNode({ disk, node: nodeNamed(device) }))), (services) => {
      const { url } = Context.get(services, GrpcServer)
      return url
    }),
  )
})

const text = ({ payload }: Message | QueueItem): string => Buffer.from(payload).toString()

it.live("a subscriber of one node gets what is published at the other, in the order of the journal", () =>
  Effect.gen(function* () {
    const [one, two] = yield* Effect.flatMap(twoNodes, (urls) => Effect.forEach(urls, (url) => connect(url)))
    const live = yield* Deferred.make<void>()
    const got = yield* one!
      .subscribe("#", { onLive: Effect.asVoid(Deferred.succeed(live, undefined)) })
      .pipe(Stream.take(4), Stream.runCollect, Effect.forkScoped)
    yield* Deferred.await(live)
    for (const [i, node] of [two!, one!, two!, one!].entries()) yield* node.publish("orders", `${i}`)
    expect((yield* Fiber.join(got)).map(text)).toEqual(["0", "1", "2", "3"])
    expect((yield* two!.heads).map(({ offset }) => offset)).toEqual([2, 2])
  }).pipe(Effect.scoped),
)

it.live("a queue that is taken at one node is refused at the other, at once and with the node", () =>
  Effect.gen(function* () {
    const [one, two] = yield* Effect.flatMap(twoNodes, (urls) => Effect.forEach(urls, (url) => connectQueues(url)))
    const taken = yield* Deferred.make<void>()
    const done = yield* Deferred.make<string>()
    const taker = yield* Effect.forkScoped(
      one!.take("work", (item) => Deferred.succeed(done, text(item)), {
        onTaken: Effect.asVoid(Deferred.succeed(taken, undefined)),
      }),
    )
    yield* Deferred.await(taken)
    const refusal = yield* Effect.flip(two!.take("work", () => Effect.void))
    expect(refusal).toMatchObject({ _tag: "QueueTaken", queue: "work" })
    expect(refusal.message).toContain("acme/press/one")
    yield* two!.enqueue("work", "from the other node")
    expect(yield* Deferred.await(done)).toBe("from the other node")
    yield* Fiber.interrupt(taker)
    const again = yield* Deferred.make<void>()
    const onTaken = Effect.asVoid(Deferred.succeed(again, undefined))
    yield* Effect.forkScoped(two!.take("work", () => Effect.void, { onTaken }))
    yield* Deferred.await(again)
  }).pipe(Effect.scoped),
)

it.live("a cursor that is held at one node is refused at the other, and can be taken over there", () =>
  Effect.gen(function* () {
    const [one, two] = yield* Effect.flatMap(twoNodes, (urls) => Effect.forEach(urls, (url) => connect(url)))
    yield* one!.publishAll(["1", "2", "3"].map((payload) => ({ topic: "orders", payload })))
    const first: Array<string> = []
    const three = yield* Deferred.make<void>()
    const consumer = yield* Effect.forkScoped(
      one!.consume("mail", "orders", (message) =>
        Effect.suspend(() => (first.push(text(message)) === 3 ? Deferred.succeed(three, undefined) : Effect.void)),
      ),
    )
    yield* Deferred.await(three)
    const refusal = yield* Effect.flip(two!.consume("mail", "orders", () => Effect.void))
    expect(refusal).toMatchObject({ _tag: "CursorTaken", cursor: "mail" })
    expect(refusal.message).toContain("acme/press/one")

    const fourth = yield* Deferred.make<string>()
    yield* Effect.forkScoped(
      two!.consume(
        "mail",
        "orders",
        (message) => (text(message) === "4" ? Deferred.succeed(fourth, text(message)) : Effect.void),
        { takeOver: true },
      ),
    )
    const lost = yield* Effect.flip(Fiber.join(consumer))
    expect(lost).toMatchObject({ _tag: "CursorLost", cursor: "mail" })
    expect(lost.message).toContain("acme/press/two")
    yield* one!.publish("orders", "4")
    expect(yield* Deferred.await(fourth)).toBe("4")
    expect(yield* one!.cursors).toMatchObject([{ name: "mail", isHeld: true }])
  }).pipe(Effect.scoped),
)
