/**
 * Who may connect over BUS/RT, and what becomes of those whose rules change (I9). What may be done with which name or
 * topic, on this path and on all others, is in `test/access/matrix.test.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, vi } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Access from "../../../src/access/Access.ts"
import type { AccessRules } from "../../../src/access/AccessRules.ts"
import { hashOf } from "../../../src/access/tokens.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const rules: AccessRules = {
  principals: {
    ada: { send: "any", subscribe: ["news/#"] },
    bob: { send: ["ada"] },
    near: { networks: ["127.0.0.0/8", "::1"], send: "any" },
    far: { networks: ["192.0.2.0/24"], send: "any" },
    robot: { tokens: [hashOf("secret")], send: "any" },
  },
}

const serve = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "millrace-busrt-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const { access, replace } = Access.make(rules)
  const services = yield* Layer.build(
    Busrt.layerServer({
      endpoints: [
        { kind: "unix", path: join(directory, "bus.sock") },
        { kind: "tcp", host: "127.0.0.1", port: 0 },
      ],
    }).pipe(
      Layer.provideMerge(Exchange.layer),
      Layer.provideMerge(Exchange.Router.layer()),
      Layer.provide(Layer.succeed(Access.Access, access)),
    ),
  )
  const [unix, tcp] = Context.get(services, Busrt.BusrtServer).endpoints as readonly [Endpoint, Endpoint]
  const core = Context.get(services, Exchange.Router)
  const left: Array<readonly [string, string]> = []
  const waiting = new Map<string, Deferred.Deferred<void>>()
  core.watch({
    joined: ({ name }) => {
      const deferred = waiting.get(name)
      if (deferred !== undefined) Deferred.doneUnsafe(deferred, Effect.void)
    },
    left: ({ name }, reason) => void left.push([name, reason]),
  })
  const names = () => [...core.members].map(({ name }) => name).toSorted()
  /** Waits until a client of the name is there. */
  const joined = (name: string) =>
    Effect.suspend(() => {
      if (core.find(name) !== undefined) return Effect.void
      const deferred = Deferred.makeUnsafe<void>()
      waiting.set(name, deferred)
      return Deferred.await(deferred)
    })
  return { access, replace, unix, tcp, left, names, joined }
})

/** A client, which comes back by itself when it is disconnected. */
const connect = (endpoint: Endpoint, name: string) =>
  Effect.flatMap(Layer.build(Layer.fresh(Busrt.layerExchange({ endpoint }))), (remote) =>
    Context.get(remote, Exchange.Exchange).connect(name),
  )

describe("over BUS/RT (I9)", () => {
  it.live("who is not listed, comes from elsewhere or needs a token is not let in", () =>
    Effect.gen(function* () {
      const { names, tcp, unix } = yield* serve
      for (const name of ["ada", "ada%%2", "near"]) yield* connect(tcp, name)
      // A file has no address.
      for (const name of ["bob", "far"]) yield* connect(unix, name)
      for (const [endpoint, name] of [
        [tcp, "eve"],
        [tcp, "eve%%1"],
        [tcp, "far%%1"],
        [tcp, "robot"],
        [unix, "robot"],
        [unix, "adam"],
      ] as const) {
        expect(yield* Effect.flip(connect(endpoint, name))).toMatchObject({ _tag: "AccessDenied", verb: "connect" })
      }
      expect(names()).toEqual(["ada", "ada%%2", "bob", "far", "near"])
    }),
  )

  it.live("a refusal is 0x79, also of one topic among others, which are acknowledged", () =>
    Effect.gen(function* () {
      const { tcp } = yield* serve
      const { port } = tcp as { readonly port: number }
      const handshake = (name: string): Buffer =>
        Buffer.concat([Buffer.from([0xeb, 1, 0, name.length, 0]), Buffer.from(name)])
      /** What the server says after its greeting and the first 01, until there is so much of it. */
      const answers = (bytes: Buffer, count: number) =>
        Effect.callback<string>((resume) => {
          const socket = connectSocket(port, "127.0.0.1")
          let said = Buffer.alloc(0)
          socket.on("data", (chunk) => {
            said = Buffer.concat([said, chunk])
            if (said.length < 4 + count) return
            resume(Effect.succeed(said.subarray(4, 4 + count).toString("hex")))
          })
          socket.write(bytes)
          return Effect.sync(() => socket.destroy())
        })
      expect(yield* answers(handshake("eve"), 1)).toBe("79")
      const topics = Buffer.from("news/a\0other\0news/b")
      const header = Buffer.alloc(9)
      header.writeUInt32LE(7, 0)
      header[4] = 0x42
      header.writeUInt32LE(topics.length, 5)
      const frames = Buffer.concat([handshake("ada"), header, topics])
      // Registered; an ack of the operation 7 for the topic that is denied, and one for all of it.
      expect(yield* answers(frames, 13)).toBe("01fe0700000079fe0700000001")
    }),
  )

  it.live("whose rules change is disconnected with its secondaries, and judged anew when it comes back", () =>
    Effect.gen(function* () {
      const { names, replace, tcp, left, joined } = yield* serve
      const ada = yield* connect(tcp, "ada")
      yield* connect(tcp, "ada%%2")
      const bob = yield* connect(tcp, "bob")
      yield* ada.send("bob", "hello")

      const { bob: _, ...others } = rules.principals
      replace({ principals: { ...others, ada: { send: ["near"] } } })
      expect(left).toEqual([
        ["ada%%2", "primaryGone"],
        ["ada", "revoked"],
        ["bob", "revoked"],
      ])
      yield* joined("ada")
      expect(yield* Effect.flip(ada.send("bob", "hello"))).toMatchObject({ _tag: "AccessDenied", principal: "ada" })
      // Who is not listed any more does not come back.
      expect((yield* Effect.flip(Stream.runDrain(bob.inbox)))._tag).toBe("Disconnected")
      expect(names()).not.toContain("bob")
    }),
  )

  it.live("one client can be disconnected, whose rules are as they were", () =>
    Effect.gen(function* () {
      const { access, tcp, left, joined } = yield* serve
      const ada = yield* connect(tcp, "ada")
      const bob = yield* connect(tcp, "bob")
      yield* access.forceDisconnect("ada")
      expect(left).toEqual([["ada", "revoked"]])
      yield* joined("ada")
      yield* ada.send("bob", "hello")
      yield* bob.send("ada", "hello")
    }),
  )
})
