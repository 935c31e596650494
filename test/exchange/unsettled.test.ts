/** How much may wait for its commit, and who is held meanwhile. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import * as Exchange from "../../src/exchange/index.ts"

const outlet: Exchange.Outlet = {
  offer: () => true,
  flush: () => {},
  close: () => {},
  queued: () => 0,
  isCrowded: () => false,
  whenEased: (resume) => resume(),
}

it("holds whoever has too much waiting, and lets everybody go on in the end", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ member: fc.nat(2), bytes: fc.integer({ min: 1, max: 60 }), settles: fc.nat(3) })),
      (steps) => {
        const core = new Exchange.RoutingCore({ unsettledBytesMax: 100, unsettledBytesTotalMax: 150 })
        const told = new Map<string, boolean>()
        const members = ["a", "b", "c"].map(
          (name) =>
            core.register(name, {
              outlet,
              kind: "internal",
              onHeldChange: (isHeld) => told.set(name, isHeld),
            }) as Exchange.Member,
        )
        const waiting: Array<() => void> = []
        for (const { member, bytes, settles } of steps) {
          const from = members[member]!
          // Who is held is not read.
          if (!from.isHeld) {
            core.unsettled.add(from, bytes)
            waiting.push(() => core.unsettled.remove(from, bytes))
          }
          for (const settle of waiting.splice(0, settles)) settle()
          for (const one of members) {
            expect(one.unsettledBytes).toBeLessThanOrEqual(160)
            expect(told.get(one.name) ?? false).toBe(one.isHeld)
          }
          expect(core.unsettled.bytes).toBeLessThanOrEqual(150 + 3 * 60)
          expect(core.unsettled.held).toBe(members.filter((one) => one.isHeld).length)
        }
        for (const settle of waiting) settle()
        expect(members.map((one) => one.isHeld)).toEqual([false, false, false])
        expect(core.unsettled.bytes).toBe(0)
      },
    ),
  )
})

it.effect("makes a client in this process wait", () => {
  const settles: Array<() => void> = []
  const layer = Exchange.layer.pipe(Layer.provideMerge(Exchange.Router.layer({ unsettledBytesMax: 10 })))
  return Effect.gen(function* () {
    const core = yield* Exchange.Router
    core.storeFirst = {
      isDurable: () => true,
      publish: (from, _topic, payload, _isLent, _isRealtime, settle) => {
        core.unsettled.add(from, payload.byteLength)
        settles.push(() => {
          core.unsettled.remove(from, payload.byteLength)
          settle("ok")
        })
      },
    }
    const { connect } = yield* Exchange.Exchange
    const ada = yield* connect("ada")
    yield* ada.publishAll("t", ["123456", "123456"], { isProcessed: false })
    const third = yield* Effect.forkChild(ada.publish("t", "3"), { startImmediately: true })
    expect(settles.length).toBe(2)
    settles[0]!()
    settles[1]!()
    while (settles.length < 3) yield* Effect.yieldNow
    expect(third.pollUnsafe()).toBeUndefined()
    settles[2]!()
    expect(Exit.isSuccess(yield* Fiber.await(third))).toBe(true)
  }).pipe(Effect.scoped, Effect.provide(layer))
})
