/** RPC between clients on sockets, and what is lost with a connection. */
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Access } from "../../src/access/Access.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"
import { bytes, joined, text, until } from "./clients.ts"
import { rpcSuite } from "./suite.ts"

const server = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "millrace-rpc-"))),
    (path) => Effect.sync(() => NodeFs.rmSync(path, { recursive: true })),
  )
  return yield* Layer.build(
    Busrt.layerServer({ endpoints: [{ kind: "unix", path: NodePath.join(directory, "bus.sock") }] }).pipe(
      Layer.provideMerge(Exchange.Router.layer()),
      Layer.provide(Access.layerOpen),
    ),
  )
})

/** Clients on sockets of their own, and the core that they are connected to. */
const layer = () =>
  Layer.unwrap(
    Effect.map(server, (services) => {
      const [endpoint] = Context.get(services, Busrt.BusrtServer).endpoints
      return Layer.merge(
        Busrt.layerExchange({ endpoint: endpoint! }),
        Layer.succeed(Exchange.Router, Context.get(services, Exchange.Router)),
      )
    }),
  )

rpcSuite("over a socket", layer, { runs: 10 })

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
    ).pipe(Effect.provide(layer())),
  )
})
