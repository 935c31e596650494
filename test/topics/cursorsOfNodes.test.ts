/**
 * Named cursors of several nodes on one store: who is refused, who ends, and what is settled then.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import { Holders, isHold } from "../../src/storage/Holders.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { type HoldOptions, layer, Topics } from "../../src/topics/index.ts"
import { nodeNamed } from "./sharedMemory.ts"

type Node = Topics["Service"]
type Stores = Layer.Layer<StoreServices, unknown>

const build = (stores: Stores) =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(layer, stores))), (services) => Context.get(services, Topics))

const storesOf = () => {
  const disk = Memory.makeDisk({ shared: { pollMillis: 0 } })
  return [Memory.layer({ disk, node: nodeNamed("one") }), Memory.layer({ disk, node: nodeNamed("two") })] as const
}

const twoNodes = Effect.suspend(() => {
  const [one, two] = storesOf()
  return Effect.all([build(one), build(two)])
})

const numbers = (count: number) => Array.from({ length: count }, (_, i) => ({ topic: "orders", payload: `${i + 1}` }))
const text = ({ payload }: Message): string => Buffer.from(payload).toString()

/** Holds a cursor in a scope of its own. */
const hold = Effect.fnUntraced(function* (node: Node, options?: HoldOptions) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
  const held = yield* Scope.provide(node.holdCursor("mail", "orders", options), scope)
  return { ...held, release: Scope.close(scope, Exit.void) }
})

/** Consumes until so many messages are handled, and then nothing more; `handled` gets what it handles. */
const consume = Effect.fnUntraced(function* (node: Node, handled: Array<string>, until: number, takeOver = false) {
  const reached = yield* Deferred.make<void>()
  const handler = (message: Message) =>
    Effect.suspend(() => {
      if (handled.length === until) return Effect.never
      handled.push(text(message))
      return handled.length === until ? Effect.asVoid(Deferred.succeed(reached, undefined)) : Effect.void
    })
  const fiber = yield* Effect.forkScoped(node.consume("mail", "orders", handler, { takeOver }))
  yield* Effect.raceFirst(Deferred.await(reached), Fiber.join(fiber))
  return fiber
})

describe("a cursor that is held at another node", () => {
  it.live("is refused, with the node that has it, until it lets go", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twoNodes
      const held = yield* hold(one)
      const refusal = yield* Effect.flip(two.consume("mail", "orders", () => Effect.void))
      expect(refusal).toMatchObject({ _tag: "CursorTaken", cursor: "mail" })
      expect(refusal.message).toContain("acme/press/one")
      expect((yield* two.cursors)[0]).toMatchObject({ name: "mail", isHeld: true })
      yield* held.release
      expect((yield* two.cursors)[0]).toMatchObject({ name: "mail", isHeld: false })
      yield* hold(two)
      expect((yield* Effect.flip(hold(one))).message).toContain("acme/press/two")
    }).pipe(Effect.scoped),
  )

  it.live("can be taken over: who held it ends, told by whom", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twoNodes
      yield* one.publishAll(numbers(10))
      const first: Array<string> = []
      const consumer = yield* consume(one, first, 10)
      const second: Array<string> = []
      yield* Effect.forkScoped(consume(two, second, Number.POSITIVE_INFINITY, true))
      const lost = yield* Effect.flip(Fiber.join(consumer))
      expect(lost).toMatchObject({ _tag: "CursorLost", cursor: "mail" })
      expect(lost.message).toContain("acme/press/two")
      yield* one.publish("orders", "11")
      yield* Effect.repeat(Effect.sleep(1), { until: () => second.includes("11") })
      // From its last commit on, and nothing that was handled longer ago.
      expect(second).toEqual([...first, "11"].slice(-second.length))
    }).pipe(Effect.scoped),
  )

  it.live("goes from node to node and skips nothing", () =>
    Effect.gen(function* () {
      const nodes = yield* twoNodes
      yield* nodes[0].publishAll(numbers(30))
      const handled: Array<string> = []
      for (const [turn, until] of [5, 10, 15, 20, 25, 30].entries()) {
        const consumer = yield* consume(nodes[turn % 2]!, handled, until)
        yield* Fiber.interrupt(consumer)
      }
      expect(handled.slice(0, 30)).toEqual(numbers(30).map(({ payload }) => payload))
    }).pipe(Effect.scoped),
  )

  it.live("ends its holder when it is reset or deleted here, without waiting for its next move", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twoNodes
      const first = yield* hold(one)
      yield* two.resetCursor("mail", "start")
      expect((yield* Effect.flip(first.lost))._tag).toBe("CursorLost")
      const second = yield* hold(one)
      yield* two.deleteCursor("mail")
      expect((yield* Effect.flip(second.lost))._tag).toBe("CursorLost")
    }).pipe(Effect.scoped),
  )

  it.live("goes on here under its epoch, where its client's connection went there before", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twoNodes
      yield* one.publishAll(numbers(3))
      const first = yield* hold(one)
      const [message] = yield* first.messages.pipe(Stream.take(1), Stream.runCollect)
      const { epoch, incarnation } = first
      const resumed = yield* hold(two, { resume: { epoch, incarnation, position: message!.position } })
      expect((yield* Effect.flip(first.lost))._tag).toBe("CursorLost")
      const [next] = yield* resumed.messages.pipe(Stream.take(1), Stream.runCollect)
      expect(text(next!)).toBe("2")
      resumed.handled(next!.position)
      yield* resumed.settled
      expect((yield* two.cursors)[0]).toMatchObject({ position: next!.position, isHeld: true })
    }).pipe(Effect.scoped),
  )

  it.live("is not taken from its holder by one who had it before", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twoNodes
      const first = yield* hold(one)
      const second = yield* hold(two, { takeOver: true })
      const { epoch, incarnation } = first
      const refusal = yield* Effect.flip(hold(one, { resume: { epoch, incarnation, position: 0 } }))
      expect(refusal._tag).toBe("CursorLost")
      expect(yield* Effect.exit(Effect.timeout(second.lost, 20))).toMatchObject({ _tag: "Failure" })
      second.handled(0)
      yield* second.settled
    }).pipe(Effect.scoped),
  )
})

describe("a node that is out of touch for a while", () => {
  /** A node whose holds can be broken. */
  const breakable = (stores: Stores) => {
    const broken: Array<Deferred.Deferred<string>> = []
    const wrapped = Layer.provideMerge(
      Layer.effect(
        Holders,
        Holders.useSync((holders) =>
          Holders.of({
            ...holders,
            hold: Effect.fnUntraced(function* (held, takeOver) {
              const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
              const hold = yield* Scope.provide(holders.hold(held, takeOver), scope)
              if (!isHold(hold)) return hold
              const lost = yield* Deferred.make<string>()
              broken.push(lost)
              return { lost: Effect.tap(Deferred.await(lost), () => Scope.close(scope, Exit.void)) }
            }),
          }),
        ),
      ),
      stores,
    )
    return { layer: wrapped, broken }
  }

  it.live("keeps its cursors where nobody has had them meanwhile", () =>
    Effect.gen(function* () {
      const [one, two] = storesOf()
      const first = breakable(one)
      const here = yield* build(first.layer)
      const there = yield* build(two)
      yield* here.publishAll(numbers(3))
      const handled: Array<string> = []
      const consumer = yield* Effect.forkScoped(
        here.consume("mail", "orders", (message) => Effect.sync(() => handled.push(text(message)))),
      )
      yield* Effect.repeat(Effect.sleep(1), { until: () => handled.length === 3 })
      yield* Deferred.succeed(first.broken[0]!, "the connection broke")
      yield* Effect.repeat(Effect.sleep(1), { until: () => first.broken.length === 2 })
      yield* there.publish("orders", "4")
      yield* Effect.repeat(Effect.sleep(1), { until: () => handled.length === 4 })
      expect((yield* Effect.flip(there.consume("mail", "orders", () => Effect.void)))._tag).toBe("CursorTaken")
      yield* Fiber.interrupt(consumer)
      expect(handled).toEqual(["1", "2", "3", "4"])
    }).pipe(Effect.scoped),
  )

  it.live("loses those that somebody else has had", () =>
    Effect.gen(function* () {
      const [one, two] = storesOf()
      const first = breakable(one)
      const here = yield* build(first.layer)
      const there = yield* build(two)
      const held = yield* hold(here)
      const second = yield* hold(there, { takeOver: true })
      yield* second.release
      yield* Deferred.succeed(first.broken[0]!, "the connection broke")
      const lost = yield* Effect.flip(held.lost)
      expect(lost).toMatchObject({ _tag: "CursorLost" })
    }).pipe(Effect.scoped),
  )
})
