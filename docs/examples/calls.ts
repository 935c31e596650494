// Two clients of the live plane: one answers calls, the other makes them.
import { NodeRuntime } from "@effect/platform-node"
import { Console, type Duration, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { Exchange, Rpc } from "millrace"

// #region worker
const Numbers = Schema.Struct({ numbers: Schema.Array(Schema.Finite) })

const worker = Effect.gen(function* () {
  const { connect } = yield* Exchange.Exchange
  const client = yield* connect("math")
  yield* Rpc.make(client, {
    handlers: {
      mean: Rpc.valueHandler(Numbers, ({ numbers }) =>
        numbers.length === 0
          ? Effect.fail(Rpc.rpcError(1, "there are no numbers"))
          : Effect.succeed(numbers.reduce((sum, n) => sum + n, 0) / numbers.length),
      ),
      think: () => Effect.never,
    },
    onNotification: ({ sender }) => Console.log(`math: ${sender} says hello`),
  })
})
// #endregion

// #region caller
const calling = Effect.gen(function* () {
  const { connect } = yield* Exchange.Exchange
  const rpc = yield* Rpc.make(yield* connect("app"))
  yield* rpc.notify("math", "hello")
  const mean = (numbers: ReadonlyArray<number>) => Rpc.callValue(rpc, "math", "mean", { numbers }, Schema.Finite)
  yield* Console.log(`mean: ${yield* mean([1, 2, 6])}`)
  yield* mean([]).pipe(Effect.catchTag("RpcError", ({ message }) => Console.log(message)))
  return rpc
})
// #endregion

// #region waiting
const waiting = Effect.fnUntraced(function* (rpc: Rpc.Rpc, leave: Effect.Effect<void>) {
  const think = (timeout: Duration.Input) => rpc.call("math", "think", undefined, { timeout })
  yield* think("1 second").pipe(Effect.catchTag("RpcTimeout", ({ message }) => Console.log(message)))
  // Nobody waits for somebody who is gone, however long the call may take.
  const thinking = yield* Effect.forkChild(Effect.flip(think("1 day")), { startImmediately: true })
  yield* leave
  yield* Console.log((yield* Fiber.join(thinking)).message)
  yield* think("1 day").pipe(Effect.catchTag("NotRegistered", ({ message }) => Console.log(message)))
})
// #endregion

const program = Effect.gen(function* () {
  const scope = yield* Scope.fork(yield* Effect.scope)
  yield* Scope.provide(worker, scope)
  yield* waiting(yield* calling, Scope.close(scope, Exit.void))
})

const ExchangeLive = Exchange.layer.pipe(Layer.provide(Exchange.Router.layer()))

program.pipe(Effect.scoped, Effect.provide(ExchangeLive), NodeRuntime.runMain)
