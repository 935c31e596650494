/** What is special to WebSockets: who may connect, what is refused, and that messages are only pieces of a stream. */
import * as http from "node:http"
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { WebSocket } from "ws"
import * as Transport from "../../src/transport/index.ts"
import { accept, makeWitness, witness } from "./places.ts"

const ws = { kind: "ws", host: "127.0.0.1", port: 0, path: "/bus" } as const

const urlOf = ({ endpoint }: Transport.Listener) => Transport.Endpoint.format(endpoint)
const portOf = ({ endpoint }: Transport.Listener) => (endpoint as { readonly port: number }).port

/** A WebSocket of the library's own, and what becomes of it: open, or the status it was answered with. */
const open = (url: string, options: ConstructorParameters<typeof WebSocket>[2] = {}) =>
  Effect.acquireRelease(
    Effect.callback<WebSocket, string>((resume) => {
      const webSocket = new WebSocket(url, options)
      webSocket.on("open", () => resume(Effect.succeed(webSocket)))
      webSocket.on("error", (error) => resume(Effect.fail(error.message)))
    }),
    (webSocket) => Effect.sync(() => webSocket.terminate()),
  )

const closeOf = (webSocket: WebSocket) =>
  Effect.callback<number>((resume) => {
    webSocket.on("close", (code) => resume(Effect.succeed(code)))
  })

const refusals = Effect.map(Metric.snapshot, (metrics) =>
  metrics
    .filter(({ id }) => id === "millrace_connections_refused_total")
    .map(({ attributes, state }) => [
      (attributes as Record<string, string>)["reason"],
      "count" in state ? Number(state.count) : 0,
    ])
    .filter(([, count]) => count !== 0),
)

describe("a WebSocket listener", () => {
  it.live("lets no web page in but those that it was told of, and programs that are no pages", () =>
    Effect.gen(function* () {
      const closed = yield* Transport.listen(ws)
      const some = yield* Transport.listen(ws, { origins: ["https://app.example"] })
      const all = yield* Transport.listen(ws, { origins: ["*"] })
      const answer = (listener: Transport.Listener, origin: string | undefined) =>
        Effect.match(open(urlOf(listener), origin === undefined ? {} : { origin }), {
          onSuccess: () => "open",
          onFailure: (message) => message,
        })
      const refused = "Unexpected server response: 403"
      expect(yield* answer(closed, undefined)).toBe("open")
      expect(yield* answer(closed, "https://app.example")).toBe(refused)
      // A page that had its own name point here.
      expect(yield* answer(closed, `http://127.0.0.1:${portOf(closed)}`)).toBe(refused)
      expect(yield* answer(closed, "null")).toBe(refused)
      expect(yield* answer(some, "https://app.example")).toBe("open")
      expect(yield* answer(some, "https://app.example.evil")).toBe(refused)
      expect(yield* answer(some, "http://app.example")).toBe(refused)
      expect(yield* answer(all, "https://anywhere.example")).toBe("open")
      expect(yield* refusals).toEqual([
        ["origin", 3],
        ["origin", 2],
      ])
    }),
  )

  it.live("is at its path, and elsewhere there is nothing", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const root = urlOf(listener).replace("/bus", "/")
      expect(yield* Effect.flip(open(root))).toBe("Unexpected server response: 404")
      yield* open(`${urlOf(listener)}?anything`)
      const error = yield* Effect.flip(Transport.dial({ ...ws, port: portOf(listener), path: "/other" }))
      expect(error).toMatchObject({ _tag: "DialFailed", reason: "rejected" })
      expect(error.message).toContain("the answer was 404 Not Found, and no WebSocket")
    }),
  )

  it.live("tells a browser that it is no page", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${portOf(listener)}/bus`))
      expect(response.status).toBe(426)
      expect(yield* Effect.promise(() => response.text())).toBe("There is a WebSocket here, and nothing else.\n")
    }),
  )

  it.live.each<readonly [what: string, request: string]>([
    ["says nothing", ""],
    ["does not come to an end", "GET /bus HTTP/1.1\r\nhost: a\r\n"],
    ["asks for pages again and again", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"],
  ])("sends away who %s, in time", ([, request]) =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws, { upgradeWithin: "100 millis" })
      yield* Effect.callback<void>((resume) => {
        const socket = net.connect({ host: "127.0.0.1", port: portOf(listener) })
        socket.on("connect", () => socket.write(request))
        socket.on("error", () => undefined)
        socket.on("close", () => resume(Effect.void))
        socket.resume()
      })
    }),
  )

  it.live("takes no request of unlimited length", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws, { upgradeWithin: "1 minute" })
      const answer = yield* Effect.callback<string>((resume) => {
        const socket = net.connect({ host: "127.0.0.1", port: portOf(listener) })
        let said = ""
        socket.on("connect", () => socket.write(`GET /bus HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n`))
        socket.on("data", (bytes) => {
          said += String(bytes)
        })
        socket.on("error", () => undefined)
        socket.on("close", () => resume(Effect.succeed(said)))
      })
      expect(answer).toMatch(/^HTTP\/1.1 431 /)
    }),
  )

  it.live("refuses text, and says so to both sides", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const webSocket = yield* open(urlOf(listener))
      const connection = yield* accept(listener)
      const reader = witness(connection)
      const closed = yield* Effect.forkChild(closeOf(webSocket), { startImmediately: true })
      webSocket.send(Buffer.from("bytes"))
      webSocket.send("text")
      webSocket.send(Buffer.from("more"))
      expect(yield* reader.ended).toMatchObject({
        reason: "violation",
        message: "the peer sent text, and a stream of bytes has none",
      })
      expect(String(reader.bytes())).toBe("bytes")
      expect(yield* Fiber.join(closed)).toBe(1003)
    }),
  )

  it.live("takes messages up to a length, in any number of frames", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws, { messageBytesMax: 1000 })
      const webSocket = yield* open(urlOf(listener))
      const reader = witness(yield* accept(listener))
      webSocket.send(Buffer.alloc(300, "a"), { fin: false })
      webSocket.send(Buffer.alloc(300, "b"), { fin: false })
      webSocket.send(Buffer.alloc(400, "c"), { fin: true })
      const all = Buffer.concat([Buffer.alloc(300, "a"), Buffer.alloc(300, "b"), Buffer.alloc(400, "c")])
      expect((yield* reader.has(1000)).equals(all)).toBe(true)
      const closed = yield* Effect.forkChild(closeOf(webSocket), { startImmediately: true })
      webSocket.send(Buffer.alloc(1001))
      expect(yield* reader.ended).toMatchObject({ reason: "violation", message: "Max payload size exceeded" })
      expect(yield* Fiber.join(closed)).toBe(1009)
    }),
  )

  it.live("does not compress, whatever its client would like", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const webSocket = yield* open(urlOf(listener), { perMessageDeflate: true })
      expect(webSocket.extensions).toBe("")
    }),
  )

  it.live("answers a ping, and breaks with a peer that does not keep to the protocol", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const webSocket = yield* open(urlOf(listener))
      const reader = witness(yield* accept(listener))
      const ponged = yield* Effect.forkChild(
        Effect.callback<string>((resume) => {
          webSocket.on("pong", (data) => resume(Effect.succeed(String(data))))
        }),
        { startImmediately: true },
      )
      webSocket.ping("there?")
      expect(yield* Fiber.join(ponged)).toBe("there?")
      // A frame without a mask.
      const socket = (webSocket as unknown as { readonly _socket: net.Socket })._socket
      socket.write(Buffer.from([0x82, 1, 0]))
      expect(yield* reader.ended).toMatchObject({ reason: "violation" })
    }),
  )

  it.live("hands over bytes that came right behind the handshake", () =>
    Effect.gen(function* () {
      const listener = yield* Transport.listen(ws)
      const accepted = yield* Effect.forkChild(accept(listener), { startImmediately: true })
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => net.connect({ host: "127.0.0.1", port: portOf(listener) })),
        (socket) => Effect.sync(() => socket.destroy()),
      )
      socket.on("error", () => undefined)
      const request = [
        "GET /bus HTTP/1.1",
        "host: localhost",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      ]
      // A message of three bytes with a mask of zeros.
      const frame = Buffer.from([0x82, 0x83, 0, 0, 0, 0, 0x61, 0x62, 0x63])
      socket.write(Buffer.concat([Buffer.from(`${request.join("\r\n")}\r\n\r\n`), frame]))
      const reader = makeWitness()
      ;(yield* Fiber.join(accepted)).attach(reader.reader)
      expect(String(yield* reader.has(3))).toBe("abc")
    }),
  )
})

describe("dialing a WebSocket", () => {
  it.live("fails where something else answers", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<http.Server>((resume) => {
          const server = http.createServer((_, response) => response.writeHead(200).end("hello"))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close()),
      )
      const { port } = server.address() as net.AddressInfo
      const error = yield* Effect.flip(Transport.dial({ ...ws, port }))
      expect(error).toMatchObject({ _tag: "DialFailed", reason: "rejected", endpoint: `ws://127.0.0.1:${port}/bus` })
    }),
  )
})
