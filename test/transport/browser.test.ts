/** What is special to the WebSocket of browsers, which Node has too. That it is a stream is tested with the others. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { WebSocketServer } from "ws"
import * as Browser from "../../src/transport/browser.ts"
import * as Transport from "../../src/transport/index.ts"
import { importsOf } from "../house/imports.ts"
import { projectFiles } from "../house/project.ts"
import { accept, makeWitness, witness } from "./places.ts"

const ws = { kind: "ws", host: "127.0.0.1", port: 0, path: "/" } as const

const listening = Effect.map(Transport.listen(ws), (listener) => ({
  listener,
  endpoint: listener.endpoint as Transport.Endpoint.WebSocketEndpoint,
}))

describe("dialing from a browser", () => {
  it("needs nothing that a browser does not have", () => {
    const texts = new Map(projectFiles().map(({ path, text }) => [path, text]))
    const seen = new Set<string>()
    const outside = new Set<string>()
    const visit = (file: string): void => {
      if (seen.has(file)) return
      seen.add(file)
      for (const { kind, to } of importsOf(file, texts.get(file)!)) {
        if (kind === "type") continue
        if (to.startsWith("src/")) visit(to)
        else outside.add(to)
      }
    }
    visit("src/transport/browser.ts")
    visit("src/transport/reconnecting.ts")
    visit("src/transport/handshake.ts")
    expect([...outside].filter((name) => !name.startsWith("effect/"))).toEqual([])
    expect(seen.size).toBeGreaterThan(5)
    const code = [...seen].map((file) => texts.get(file)!.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")).join("\n")
    expect(code).not.toMatch(/\bBuffer\b|\bprocess\b|\bsetImmediate\b/)
  })

  it.live("fails where nobody listens, and where something else answers", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* Effect.scoped(listening)
      const failure = yield* Effect.flip(Effect.scoped(Browser.dial(endpoint)))
      expect(failure).toMatchObject({ _tag: "DialFailed", reason: "failed" })
      const { endpoint: open } = yield* listening
      expect(yield* Effect.flip(Effect.scoped(Browser.dial({ ...open, path: "/elsewhere" })))).toMatchObject({
        reason: "failed",
        endpoint: Transport.Endpoint.format({ ...open, path: "/elsewhere" }),
      })
    }),
  )

  it.live("gives up a connection that brings more than is held for a reader that has paused", () =>
    Effect.gen(function* () {
      const { endpoint, listener } = yield* listening
      const accepted = yield* Effect.forkChild(accept(listener), { startImmediately: true })
      const near = yield* Browser.dial(endpoint, { heldBytesMax: 100_000 })
      const far = yield* Fiber.join(accepted)
      witness(far)
      const reader = witness(near)
      near.pause()
      far.write(Buffer.alloc(60_000))
      yield* Effect.gen(function* () {
        while (near.receivedBytes < 60_000) yield* Effect.sleep(1)
      })
      // It starts anew when the reader has had it.
      near.resume()
      yield* reader.has(60_000)
      near.pause()
      far.write(Buffer.alloc(60_000))
      far.write(Buffer.alloc(60_000))
      expect(yield* reader.ended).toMatchObject({ reason: "overflow" })
      expect(yield* Effect.flip(near.closed)).toMatchObject({
        message: "more than 100000 bytes came while nobody read them",
      })
    }),
  )

  it.live("refuses text", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<WebSocketServer>((resume) => {
          const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
          server.on("listening", () => resume(Effect.succeed(server)))
          server.on("connection", (webSocket) => webSocket.send("text"))
        }),
        (server) => Effect.sync(() => server.close()),
      )
      const { port } = server.address() as { readonly port: number }
      const connection = yield* Browser.dial({ ...ws, port })
      const reader = makeWitness()
      connection.attach(reader.reader)
      expect(yield* reader.ended).toMatchObject({ reason: "violation" })
    }),
  )
})
