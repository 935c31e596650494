/** RPC between clients of one process, and what only a clock that is set can show. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Exchange from "../../src/exchange/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { bytes, joined, text, within } from "./clients.ts"
import { rpcSuite } from "./suite.ts"

const layer = () => Layer.provide(Exchange.layer, Exchange.Router.layer())
const world = () => Layer.provideMerge(Exchange.layer, Exchange.Router.layer())

rpcSuite("in one process", layer, { runs: 100 })

describe("a call without an answer", () => {
  it.effect("fails at its deadline, not before, and not because of others", () =>
    within(layer)(
      Effect.gen(function* () {
        yield* joined("worker", {
          handlers: { never: () => Effect.never, echo: ({ params }) => Effect.succeed(params) },
        })
        const { rpc } = yield* joined("caller", { timeout: "2 seconds" })
        const ended: Array<string> = []
        const call = (name: string, options?: Rpc.CallOptions) =>
          rpc.call("worker", "never", undefined, options).pipe(
            Effect.catchTag("RpcTimeout", ({ timeoutMillis }) =>
              Effect.sync(() => void ended.push(`${name} ${timeoutMillis}`)),
            ),
            Effect.forkChild({ startImmediately: true }),
          )
        yield* call("a")
        yield* call("long", { timeout: "1 minute" })
        yield* call("for ever", { timeout: "Infinity" })
        yield* TestClock.adjust("1 second")
        yield* call("b")
        const dropped = yield* call("dropped")
        yield* call("short", { timeout: 500 })
        expect(text(yield* rpc.call("worker", "echo", bytes("x")))).toBe("x")
        yield* Fiber.interrupt(dropped)
        yield* TestClock.adjust(499)
        expect(ended.splice(0)).toEqual([])
        yield* TestClock.adjust(1)
        expect(ended.splice(0)).toEqual(["short 500"])
        yield* TestClock.adjust(499)
        expect(ended.splice(0)).toEqual([])
        yield* TestClock.adjust(1)
        expect(ended.splice(0)).toEqual(["a 2000"])
        yield* TestClock.adjust("1 second")
        expect(ended.splice(0)).toEqual(["b 2000"])
        expect(yield* rpc.figures).toMatchObject({ calling: 2 })
        yield* TestClock.adjust("1 minute")
        expect(ended.splice(0)).toEqual(["long 60000"])
        yield* TestClock.adjust("1 hour")
        expect(yield* rpc.figures).toMatchObject({ calling: 1 })
      }),
    ),
  )

  it.effect("ends in time also where it cannot even be sent", () =>
    within(layer)(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const client = yield* connect("caller")
        for (const stuck of [{ send: () => Effect.never }, { subscribe: () => Effect.never }]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const rpc = yield* Rpc.make({ ...client, ...stuck })
              const call = yield* Effect.forkChild(Effect.flip(rpc.call("worker", "x")), { startImmediately: true })
              yield* TestClock.adjust("5 seconds")
              expect(yield* Fiber.join(call)).toMatchObject({ _tag: "RpcTimeout" })
              expect(yield* rpc.figures).toMatchObject({ calling: 0 })
            }),
          )
        }
      }),
    ),
  )
})

describe("a caller of many", () => {
  it.live("listens for the departure of some, and of each that it waits for", () =>
    within(world)(
      Effect.gen(function* () {
        const core = yield* Exchange.Router
        const { rpc } = yield* joined("caller", { timeout: "Infinity" })
        const handlers = { echo: () => Effect.succeed(bytes("")), never: () => Effect.never }
        const names = Array.from({ length: 300 }, (_, i) => `w${i}`)
        const workers = yield* Effect.forEach(names, (name) => joined(name, { handlers }))
        for (const name of names) {
          yield* rpc.call(name, "echo")
          const forgotten = `w${Number(name.slice(1)) - 256}`
          if (!core.find(forgotten)) continue
          // It is called again at the moment at which it is forgotten.
          const call = yield* Effect.forkChild(Effect.flip(rpc.call(forgotten, "never")), { startImmediately: true })
          yield* Effect.yieldNow
          yield* workers[Number(name.slice(1)) - 256]!.vanish
          expect(yield* Fiber.join(call)).toMatchObject({ _tag: "CalleeGone", target: forgotten })
        }
        expect(core.find("caller")!.filters.size).toBeLessThan(260)
      }),
    ),
  )
})
