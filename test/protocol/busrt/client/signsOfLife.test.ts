/** A client whose own timers do not run, at a server that is played here, byte for byte. */
import * as net from "node:net"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Exchange } from "../../../../src/exchange/index.ts"
import * as clientFrames from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import { greeting, resultByte, ServerHandshake } from "../../../../src/protocol/busrt/codec/handshake.ts"
import { ResultCode } from "../../../../src/protocol/busrt/codec/results.ts"
import { ServerFrameWriter } from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { layerExchange } from "../../../../src/protocol/busrt/index.ts"

const nop = (): Uint8Array => {
  const writer = new ServerFrameWriter()
  writer.nop()
  return writer.finish()
}

/** Registers whoever comes, sends so many signs of life, one after each that comes back, and tells when all are answered. */
const serve = (times: number, answered: () => void) => (socket: net.Socket) => {
  const handshake = new ServerHandshake()
  const decoder = clientFrames.decoder()
  let isRegistered = false
  let left = times
  socket.on("error", () => socket.destroy())
  socket.write(greeting)
  socket.on("data", (chunk) => {
    if (isRegistered) {
      for (const { type } of decoder.push(chunk).frames) {
        if (type !== "ping") continue
        if (--left === 0) answered()
        else socket.write(nop())
      }
      return
    }
    for (const { type } of handshake.push(chunk)) {
      socket.write(resultByte(ResultCode.ok))
      if (type !== "name") continue
      isRegistered = true
      socket.write(nop())
    }
  })
}

it.live("every sign of life of the server is answered with one", () =>
  Effect.gen(function* () {
    const answered = yield* Deferred.make<void>()
    const server = yield* Effect.acquireRelease(
      Effect.callback<net.Server>((resume) => {
        const made = net
          .createServer(serve(3, () => Effect.runFork(Deferred.succeed(answered, undefined))))
          .listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (made) => Effect.sync(() => made.close()),
    )
    const { port } = server.address() as net.AddressInfo
    const settings = { pingMillis: 3_600_000 }
    const services = yield* Layer.build(layerExchange({ endpoint: { kind: "tcp", host: "127.0.0.1", port }, settings }))
    const client = yield* Context.get(services, Exchange).connect("hidden")
    yield* Deferred.await(answered)
    expect(client.name).toBe("hidden")
  }),
)
