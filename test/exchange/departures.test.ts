/** Clients that leave are announced: to whom, where, and in which order. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Permissions from "../../src/access/Permissions.ts"
import * as Exchange from "../../src/exchange/index.ts"

const layer = Layer.provideMerge(Exchange.layer, Exchange.Router.layer())

const take = (client: Exchange.ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((frames) =>
      frames.map(({ sender, topic, payload }) => [sender, topic, new TextDecoder().decode(payload)]),
    ),
  )

describe("a departure", () => {
  it.effect("is announced after what the client has sent, and before its name is another's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const watching = yield* connect("watching")
        yield* watching.subscribe(Exchange.departureTopic("app"))
        for (const round of ["1", "2"]) {
          const scope = yield* Scope.make()
          const app = yield* Scope.provide(connect("app"), scope)
          yield* app.send("watching", `last words ${round}`)
          yield* Scope.close(scope, Exit.void)
        }
        const departure = [".broker", ".broker/gone/app", "app"]
        expect(yield* take(watching, 4)).toEqual([
          ["app", "", "last words 1"],
          departure,
          ["app", "", "last words 2"],
          departure,
        ])
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("of a primary is followed, or led, by those of its secondaries, each on its topic", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const core = yield* Exchange.Router
        const watching = yield* connect("watching")
        // Names that are no topics, too, which share one.
        const names = ["app", "app%%1", "a/b", "#", `${"n/".repeat(70)}n`]
        const topics = [
          ".broker/gone/app",
          ".broker/gone/app%%1",
          ".broker/gone/a/b",
          Exchange.departuresTopic,
          Exchange.departuresTopic,
        ]
        expect(names.map(Exchange.departureTopic)).toEqual(topics)
        for (const topic of topics) yield* watching.subscribe(topic)
        for (const name of names) yield* connect(name)
        for (const name of names) core.forceDisconnect(name)
        const announced = yield* take(watching, 5)
        expect(announced.toSorted()).toEqual(names.map((name, i) => [".broker", topics[i], name]).toSorted())
      }),
    ).pipe(Effect.provide(layer)),
  )

  it.effect("may be heard of by whoever may send to the client", () =>
    Effect.gen(function* () {
      const core = yield* Exchange.Router
      const outlet: Exchange.Outlet = {
        offer: () => true,
        flush: () => {},
        close: () => {},
        queued: () => 0,
        isCrowded: () => false,
        whenEased: (resume) => resume(),
      }
      const register = (name: string, allowances: Permissions.Allowances): Exchange.Member => {
        const member = core.register(name, { outlet, kind: "tcp", grants: Permissions.make(name, allowances) })
        if (Exchange.isRefusal(member)) throw new Error(member.message)
        return member
      }
      const sender = register("sender", { send: ["app"] })
      const subscriber = register("subscriber", { subscribe: [".broker/gone/x/#"] })
      const outcome = (member: Exchange.Member, filter: string) => core.subscribe(member, filter)
      expect(outcome(sender, ".broker/gone/app")).toBe("ok")
      expect(outcome(sender, ".broker/gone/other")).toBe("denied")
      expect(outcome(sender, ".broker/gone/#")).toBe("denied")
      expect(outcome(sender, ".broker/gone/+")).toBe("denied")
      expect(outcome(sender, ".broker/gone")).toBe("denied")
      expect(outcome(sender, "app")).toBe("denied")
      const talker = register("talker", { send: "any" })
      expect(outcome(talker, ".broker/gone/app")).toBe("ok")
      expect(outcome(talker, ".broker/gone/#")).toBe("denied")
      expect(outcome(subscriber, ".broker/gone/x/y")).toBe("ok")
      expect(outcome(subscriber, ".broker/gone/#")).toBe("denied")
      expect(outcome(subscriber, ".broker/gone/app")).toBe("denied")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("that makes another overflow is announced before that one's", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { connect } = yield* Exchange.Exchange
        const core = yield* Exchange.Router
        // Each is full, and listens for the one before it.
        const count = 5000
        for (let i = 0; i < count; i++) {
          const client = yield* connect(`c${i}`, { inboxFramesMax: 1 })
          if (i > 0) yield* client.subscribe(Exchange.departureTopic(`c${i - 1}`))
        }
        for (const member of core.members) core.send(member, member.name, new Uint8Array(1), false, false)
        const watching = yield* connect("watching")
        yield* watching.subscribe(".broker/gone/+")
        core.forceDisconnect("c0")
        const announced = yield* take(watching, count)
        expect(announced.map(([, , name]) => name)).toEqual(Array.from({ length: count }, (_, i) => `c${i}`))
      }),
    ).pipe(Effect.provide(layer)),
  )
})
