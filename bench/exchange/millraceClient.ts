/**
 * A process with a client of millrace.
 */
import { Effect, Exit, ManagedRuntime, Scope, Stream } from "effect"
import * as Exchange from "../../src/exchange/index.ts"
import { layerExchange } from "../../src/protocol/busrt/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import type { Endpoint } from "../../src/transport/Endpoint.ts"
import { type Address, type Command, Count, obey } from "./commands.ts"

const endpointOf = (address: Address): Endpoint =>
  "path" in address ? { kind: "unix", path: address.path } : { kind: "tcp", ...address }

const received = new Count()
/** Publications of one call. */
const batchSize = 1000

let client: Exchange.ExchangeClient
let rpc: Rpc.Rpc

const connect = async ({ address, name, filter }: Extract<Command, { do: "connect" }>): Promise<void> => {
  const runtime = ManagedRuntime.make(layerExchange({ endpoint: endpointOf(address) }))
  const scope = await Effect.runPromise(Scope.make())
  process.once("beforeExit", () => void Effect.runPromise(Scope.close(scope, Exit.void)))
  await runtime.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        client = yield* connect(name)
        if (filter !== undefined) yield* client.subscribe(filter)
      }),
      scope,
    ),
  )
}

const start = (stream: Exchange.ExchangeClient["inbox"]): void => {
  void Effect.runPromise(Stream.runForEachArray(stream, (frames) => Effect.sync(() => received.add(frames.length))))
}

const useRpc = async (handlers: Readonly<Record<string, Rpc.RpcHandler>>): Promise<Rpc.Rpc> =>
  (rpc ??= await Effect.runPromise(
    Effect.flatMap(Scope.make(), (scope) => Scope.provide(Rpc.make(client, { handlers }), scope)),
  ))

let isReading = false

obey(async (command, ready) => {
  switch (command.do) {
    case "connect":
      return connect(command)
    case "receive": {
      const all = received.more(command.count)
      if (!isReading) start(client.inbox)
      isReading = true
      ready()
      return all
    }
    case "answer": {
      await useRpc({ echo: ({ params }) => Effect.succeed(params) })
      return
    }
    case "send": {
      const { frame, count, payloadBytes, qos, window } = command
      const payload = Buffer.alloc(payloadBytes, "x")
      if (frame.type === "call") {
        const { call } = await useRpc({})
        const one = call(frame.target, frame.method, payload)
        await Effect.runPromise(
          Effect.forEach(
            Array.from({ length: window }),
            () => Effect.repeat(one, { times: Math.floor(count / window) - 1 }),
            { concurrency: "unbounded", discard: true },
          ),
        )
        return
      }
      const batch = Array.from({ length: batchSize }, () => payload)
      const options = { isProcessed: (qos & 1) === 1 }
      const sent: Effect.Effect<void, unknown> =
        frame.type === "message"
          ? client.sendAll(frame.target, batch, options)
          : client.publishAll(frame.topic, batch, options)
      await Effect.runPromise(Effect.repeat(sent, { times: Math.floor(count / batchSize) - 1 }))
    }
  }
})
