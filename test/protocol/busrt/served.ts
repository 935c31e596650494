/** An exchange of this process that listens, for clients that come over its sockets. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Access } from "../../../src/access/Access.ts"
import * as Broker from "../../../src/broker/index.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "millrace-hostile-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true })),
)

export const served = Effect.fnUntraced(function* (
  settings: Partial<Busrt.ServerSettings> = {},
  routing: Partial<Exchange.RoutingSettings> = {},
  place: (directory: string) => Endpoint = (path) => ({ kind: "unix", path: join(path, "bus.sock") }),
) {
  const services = yield* Layer.build(
    Busrt.layerServer({ endpoints: [place(yield* directory)], settings }).pipe(
      Layer.provideMerge(Broker.layer({ author: "the tests", version: "1.2.3" })),
      Layer.provideMerge(Exchange.layer),
      Layer.provideMerge(Exchange.Router.layer(routing)),
      Layer.provide(Access.layerOpen),
    ),
  )
  const [endpoint] = Context.get(services, Busrt.BusrtServer).endpoints
  return {
    endpoint: endpoint!,
    core: Context.get(services, Exchange.Router),
    exchange: Context.get(services, Exchange.Exchange),
  }
})

/** Resolves when so many clients are connected, the broker among them. */
export const untilThere = (core: Exchange.RoutingCore, count: number): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (core.size !== count) return
      stop()
      resolve()
    }
    const stop = core.watch({ joined: look, left: look })
    look()
  })
