/** RPC between clients on sockets, and what is lost with a connection. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Exchange from "../../src/exchange/index.ts"
import { bytes, joined, text, until } from "./clients.ts"
import { overSocket } from "./overSocket.ts"
import { rpcSuite } from "./suite.ts"

rpcSuite("over a socket", overSocket, { runs: 10 })

describe("a connection that is lost", () => {
  it.live("ends the calls that wait for answers over it, and none that come after", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const core = yield* Exchange.Router
        const worker = yield* joined("worker", {
          handlers: { never: () => Effect.never, echo: ({ params }) => Effect.succeed(params) },
        })
        const { rpc } = yield* joined("caller", { timeout: "Infinity" })
        const calls = yield* Effect.forkChild(
          Effect.forEach(["never", "never"], (method) => Effect.flip(rpc.call("worker", method)), {
            concurrency: "unbounded",
          }),
        )
        yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 2))
        core.forceDisconnect("caller")
        const lost = expect.objectContaining({ _tag: "Disconnected", reason: "connectionLost" })
        expect(yield* Fiber.join(calls)).toEqual([lost, lost])
        const again = Effect.retry(rpc.call("worker", "echo", bytes("x")), {
          while: ({ _tag }) => _tag === "Disconnected",
        })
        expect(text(yield* again)).toBe("x")
        // It is heard of callees that leave, as before.
        const call = yield* Effect.forkChild(Effect.flip(rpc.call("worker", "never")))
        yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 3))
        core.forceDisconnect("worker")
        expect(yield* Fiber.join(call)).toMatchObject({ _tag: "CalleeGone" })
      }),
    ).pipe(Effect.provide(overSocket())),
  )
})

describe("a callee that leaves", () => {
  it.live("the moment it gets the request is heard of, also by who calls it for the first time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const core = yield* Exchange.Router
        const { rpc } = yield* joined("caller", { timeout: "Infinity" })
        for (const name of ["worker", "worker.other", "worker"]) {
          yield* Effect.forkChild(
            Effect.scoped(
              Effect.gen(function* () {
                const worker = yield* Exchange.connectWith(core, name, false)
                yield* Stream.runDrain(Stream.take(worker.inbox, 1))
              }),
            ),
            { startImmediately: true },
          )
          expect(yield* Effect.flip(rpc.call(name, "x"))).toMatchObject({ _tag: "CalleeGone", target: name })
        }
      }),
    ).pipe(Effect.provide(overSocket())),
  )
})
