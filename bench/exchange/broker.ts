/**
 * The exchange in a process of its own, over a Unix socket and TCP.
 */
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import * as Broker from "../../src/broker/index.ts"
import { Access } from "../../src/access/Access.ts"
import * as Exchange from "../../src/exchange/index.ts"
import { BusrtServer, layerServer } from "../../src/protocol/busrt/index.ts"

process.on("message", ({ path }: { readonly path: string }) => {
  const server = layerServer({
    endpoints: [
      { kind: "unix", path },
      { kind: "tcp", host: "127.0.0.1", port: 0 },
    ],
  })
  const broker = Broker.layer({ author: "bench", version: "0" })
  const runtime = ManagedRuntime.make(
    Layer.merge(server, broker).pipe(Layer.provide(Exchange.Router.layer()), Layer.provide(Access.layerOpen)),
  )
  void runtime
    .runPromise(Effect.map(Effect.context<BusrtServer>(), (services) => Context.get(services, BusrtServer)))
    .then(({ endpoints }) => {
      const tcp = endpoints[1]!
      process.send!({ port: "port" in tcp ? tcp.port : 0, path })
    })
})
process.on("disconnect", () => process.exit(0))
