/** An exchange of this process, as clients see it over a socket. */
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Access } from "../../src/access/Access.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"

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
export const overSocket = () =>
  Layer.unwrap(
    Effect.map(server, (services) => {
      const [endpoint] = Context.get(services, Busrt.BusrtServer).endpoints
      return Layer.merge(
        Busrt.layerExchange({ endpoint: endpoint! }),
        Layer.succeed(Exchange.Router, Context.get(services, Exchange.Router)),
      )
    }),
  )
