/** Clients of one exchange over real sockets of every kind, together with one in the same process. */
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Access } from "../../../src/access/Access.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "millrace-busrt-"))),
  (path) => Effect.sync(() => NodeFs.rmSync(path, { recursive: true })),
)

/** An exchange that listens at an endpoint, and a client's view of it over that endpoint. */
const served = (endpoint: Endpoint, settings: Partial<Busrt.ServerSettings> = {}) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      Busrt.layerServer({ endpoints: [endpoint], settings }).pipe(
        Layer.provideMerge(Exchange.layer),
        Layer.provideMerge(Exchange.Router.layer()),
        Layer.provide(Access.layerOpen),
      ),
    )
    const [listening] = Context.get(services, Busrt.BusrtServer).endpoints
    const remote = yield* Layer.build(Busrt.layerExchange({ endpoint: listening! }))
    return {
      core: Context.get(services, Exchange.Router),
      local: Context.get(services, Exchange.Exchange),
      remote: Context.get(remote, Exchange.Exchange),
    }
  })

const endpoints: ReadonlyArray<readonly [string, (directory: string) => Endpoint]> = [
  ["unix", (path) => ({ kind: "unix", path: NodePath.join(path, "bus.sock") })],
  ["tcp", () => ({ kind: "tcp", host: "127.0.0.1", port: 0 })],
  ["ws", () => ({ kind: "ws", host: "127.0.0.1", port: 0, path: "/" })],
]

const take = (client: Exchange.ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((all) =>
      all.map(({ kind, sender, topic, payload }) => [kind, sender, topic, new TextDecoder().decode(payload)].join(" ")),
    ),
  )

describe.each(endpoints)("over %s", (_, place) => {
  it.live("clients send, broadcast and publish to each other, wherever they are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { local, remote } = yield* served(place(yield* directory))
        const ada = yield* remote.connect("ada")
        const bob = yield* local.connect("bob")
        for (const [from, to] of [
          [ada, bob],
          [bob, ada],
        ] as const) {
          yield* to.subscribe("news/#")
          yield* to.exclude("news/dull")
          yield* from.send(to.name, "1")
          yield* from.broadcast("?", "2")
          yield* from.publish("news/today", "3")
          yield* from.publish("news/dull", "never")
          yield* from.publish("news/for", "4", { receiver: to.name, isRealtime: true })
          const prefix = from === ada ? [] : ["broadcast ada  2"]
          expect(yield* take(to, 4 + prefix.length)).toEqual([
            ...prefix,
            `message ${from.name}  1`,
            `broadcast ${from.name}  2`,
            `publication ${from.name} news/today 3`,
            `publication ${from.name} news/for 4`,
          ])
        }
      }),
    ),
  )

  it.live("refusals arrive as what they are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { remote } = yield* served(place(yield* directory))
        const ada = yield* remote.connect("ada")
        const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
          Effect.map(Effect.flip(effect), ({ _tag }) => _tag)
        expect(yield* tagOf(Effect.scoped(remote.connect("ada")))).toBe("NameTaken")
        expect(yield* tagOf(Effect.scoped(remote.connect("eve%%1")))).toBe("PrimaryMissing")
        expect(yield* tagOf(Effect.scoped(remote.connect(".bus")))).toBe("InvalidArgument")
        expect(yield* tagOf(ada.send("bob", "x"))).toBe("NotRegistered")
        expect(yield* tagOf(ada.publish("", "x"))).toBe("InvalidArgument")
        expect(yield* tagOf(ada.subscribe("a/\0"))).toBe("InvalidArgument")
      }),
    ),
  )

  it.live("a hundred thousand messages arrive in order, at the pace of their reader", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const count = 100_000
        const { remote } = yield* served(place(yield* directory))
        const ada = yield* remote.connect("ada")
        const bob = yield* remote.connect("bob")
        const payloads = Array.from({ length: count }, (_, at) => `${at}`)
        const [, got] = yield* Effect.all([ada.sendAll("bob", payloads, { isProcessed: false }), take(bob, count)], {
          concurrency: 2,
        })
        expect(got.length).toBe(count)
        expect(got.findIndex((one, at) => one !== `message ada  ${at}`)).toBe(-1)
      }),
    ),
  )

  it.live("a client whose connection is lost comes back under its name, with its subscriptions", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { core, local, remote } = yield* served(place(yield* directory))
        const ada = yield* remote.connect("ada")
        yield* ada.subscribe("t")
        const first = core.find("ada")!
        core.forceDisconnect("ada")
        // One that was under way when the connection was lost fails.
        yield* Effect.retry(ada.send("ada", "again"), { while: ({ _tag }) => _tag === "Disconnected" })
        expect(core.find("ada")).not.toBe(first)
        const bob = yield* local.connect("bob")
        yield* bob.publish("t", "x")
        expect(yield* take(ada, 2)).toEqual(["message ada  again", "publication bob t x"])
      }),
    ),
  )
})
