// An RpcGroup of Effect whose handlers are a client of the bus, called by its name: values, typed errors, streams.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcServer } from "effect/rpc"
import { Exchange } from "millrace"
import { layerClientProtocol, layerServerProtocol, senderHeader } from "millrace/effect-rpc"

// #region group
class NoSuchItem extends Schema.TaggedError<NoSuchItem>("NoSuchItem")("NoSuchItem", { item: Schema.String }) {}

class Orders extends RpcGroup.make(
  Rpc.make("Price", { payload: { item: Schema.String }, success: Schema.Finite, error: NoSuchItem }),
  Rpc.make("Countdown", { payload: { from: Schema.Int }, success: Schema.Int, stream: true }),
) {}
// #endregion

// #region server
const handlers = Orders.toLayer({
  Price: ({ item }, { headers }) =>
    Effect.gen(function* () {
      yield* Console.log(`${headers[senderHeader]} asks for a ${item}`)
      if (item !== "lamp") return yield* new NoSuchItem({ item })
      return 19.5
    }),
  Countdown: ({ from }) => Stream.map(Stream.range(1, from), (n) => from + 1 - n),
})

const server = RpcServer.layer(Orders).pipe(
  Layer.provide(handlers),
  Layer.provide(layerServerProtocol({ name: "orders" })),
)
// #endregion

// #region client
const program = Effect.gen(function* () {
  const orders = yield* RpcClient.make(Orders)
  yield* Console.log(`a lamp is ${yield* orders.Price({ item: "lamp" })}`)
  yield* orders
    .Price({ item: "moon" })
    .pipe(Effect.catchTag("NoSuchItem", ({ item }) => Console.log(`there is no ${item}`)))
  yield* Stream.runForEach(orders.Countdown({ from: 3 }), (n) => Console.log(`${n}`))
})

const client = layerClientProtocol({ target: "orders", name: "shop" })
// #endregion

const ExchangeLive = Exchange.layer.pipe(Layer.provide(Exchange.Router.layer()))

program.pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(server, client).pipe(Layer.provide(ExchangeLive))),
  NodeRuntime.runMain,
)
