/** A page that uses the live plane alone: it is not to bring the rest along. */
import { Effect, Stream } from "effect"
import { Exchange, layerExchange, Rpc } from "millrace/browser"

const watching = Effect.gen(function* () {
  const { connect } = yield* Exchange.Exchange
  const client = yield* connect("live")
  yield* client.subscribe("news/#")
  const { inbox } = yield* Rpc.make(client)
  yield* Stream.runForEach(inbox, ({ payload }) =>
    Effect.sync(() => (document.title = new TextDecoder().decode(payload))),
  )
})

watching.pipe(Effect.scoped, Effect.provide(layerExchange({ url: "ws://127.0.0.1:7000/" })), Effect.runFork)
