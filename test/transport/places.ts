/** An endpoint of each kind to listen at, and connections between two sides of it. */
import { join } from "node:path"
import { Effect, Fiber, type Scope, Stream } from "effect"
import * as Browser from "../../src/transport/browser.ts"
import * as Transport from "../../src/transport/index.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { authority, certificate } from "../support/certificates.ts"

export type Endpoint = Transport.Endpoint.Endpoint

const makers = {
  unix: Effect.map(temporaryDirectory, (directory): Endpoint => ({ kind: "unix", path: join(directory, "a.sock") })),
  tcp: Effect.succeed<Endpoint>({ kind: "tcp", host: "127.0.0.1", port: 0 }),
  tls: Effect.succeed<Endpoint>({ kind: "tls", host: "127.0.0.1", port: 0 }),
  ws: Effect.succeed<Endpoint>({ kind: "ws", host: "127.0.0.1", port: 0, path: "/" }),
  wss: Effect.succeed<Endpoint>({ kind: "wss", host: "127.0.0.1", port: 0, path: "/bus" }),
}

export type Kind = keyof typeof makers

export const kinds = Object.keys(makers) as ReadonlyArray<Kind>

/** Where to listen, for each kind; port 0 where there is a port. */
export const endpointOf = (kind: Kind) => makers[kind]

const tls = { tls: certificate }
const trust = { tls: { ca: authority.cert } }

export const listen = (endpoint: Endpoint, options: Transport.ListenOptions = {}) =>
  Transport.listen(endpoint, { ...tls, ...options })

export const dial = (endpoint: Endpoint, options: Transport.DialOptions = {}) =>
  Transport.dial(endpoint, { ...trust, ...options })

/** How the near side of a pair is made. */
export type Dial = (endpoint: Endpoint) => Effect.Effect<Transport.Connection, Transport.DialFailed, Scope.Scope>

export const browsers = "a browser's WebSocket"

/** Who connects to whom: each kind of endpoint, and the WebSocket that browsers and Node have. */
export const ways: ReadonlyArray<{ readonly way: string; readonly kind: Kind; readonly dial: Dial }> = [
  ...kinds.map((kind) => ({ way: kind, kind, dial })),
  {
    way: browsers,
    kind: "ws",
    dial: (endpoint) => Browser.dial(endpoint as Transport.Endpoint.WebSocketEndpoint),
  },
]

/** The next connection of a listener. */
export const accept = (listener: Transport.Listener) =>
  Effect.flatMap(Stream.runHead(listener.connections), Effect.fromOption)

/** A connection from both sides, `near` the one that was dialed. */
export const pair = (listener: Transport.Listener, way: Dial = dial) =>
  Effect.gen(function* () {
    const accepted = yield* Effect.forkChild(accept(listener), { startImmediately: true })
    const near = yield* way(listener.endpoint)
    return { near, far: yield* Fiber.join(accepted) }
  })

/** Succeeds when something is so that nobody tells of. */
export const until = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep(5)
  }).pipe(Effect.timeout("10 seconds"), Effect.orDie)

/** What came to a reader, and how it ended. */
export interface Witness {
  readonly reader: Transport.Reader
  readonly bytes: () => Buffer
  readonly drains: () => number
  readonly ends: ReadonlyArray<Transport.ConnectionLost | undefined>
  /** Succeeds when so many bytes have come. */
  readonly has: (count: number) => Effect.Effect<Buffer>
  /** Succeeds when the end was told. */
  readonly ended: Effect.Effect<Transport.ConnectionLost | undefined>
  readonly drained: Effect.Effect<void>
}

export const makeWitness = (): Witness => {
  const chunks: Array<Uint8Array> = []
  const ends: Array<Transport.ConnectionLost | undefined> = []
  const waiting = new Set<() => void>()
  let count = 0
  let drains = 0
  const wake = () => {
    for (const look of waiting) look()
  }
  const until = <A>(when: () => boolean, give: () => A) =>
    Effect.callback<A>((resume) => {
      const look = () => {
        if (!when()) return
        waiting.delete(look)
        resume(Effect.sync(give))
      }
      waiting.add(look)
      look()
      return Effect.sync(() => waiting.delete(look))
    })
  return {
    reader: {
      onChunk: (chunk) => {
        chunks.push(chunk)
        count += chunk.length
        wake()
      },
      onDrain: () => {
        drains += 1
        wake()
      },
      onClose: (error) => {
        ends.push(error)
        wake()
      },
    },
    bytes: () => Buffer.concat(chunks),
    drains: () => drains,
    ends,
    has: (wanted) =>
      until(
        () => count >= wanted,
        () => Buffer.concat(chunks),
      ),
    ended: until(
      () => ends.length > 0,
      () => ends[0],
    ),
    get drained() {
      const before = drains
      return until(
        () => drains > before,
        () => undefined,
      )
    },
  }
}

/** A witness that reads a connection from now on. */
export const witness = (connection: Transport.Connection): Witness => {
  const made = makeWitness()
  connection.attach(made.reader)
  return made
}
