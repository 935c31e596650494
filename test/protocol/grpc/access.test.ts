/**
 * Who may call a node over gRPC, by its token or without one, and what becomes of streams whose rules change (I9). What
 * may be done with which topic or queue, on this path and on all others, is in `test/access/matrix.test.ts`.
 */
import { describe, expect, it, vi } from "@effect/vitest"
import * as grpc from "@grpc/grpc-js"
import { Context, Deferred, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import * as Access from "../../../src/access/Access.ts"
import type { AccessRules } from "../../../src/access/AccessRules.ts"
import { hashOf } from "../../../src/access/tokens.ts"
import { GrpcServer, type GrpcTopicsOptions } from "../../../src/protocol/grpc/index.ts"
import * as MsgbusClient from "../../interop/MsgbusClient.ts"
import { connect, connectQueues, layerNode } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const rules: AccessRules = {
  principals: {
    sensor: { tokens: [hashOf("sensor-token")], publish: ["measured/#"] },
    reader: { tokens: [hashOf("reader-token")], subscribe: "any", queue: ["jobs"] },
    elsewhere: { tokens: [hashOf("elsewhere-token")], networks: ["192.0.2.0/24"], publish: "any" },
  },
}
const open: AccessRules = { principals: { ...rules.principals, ".grpc": { subscribe: ["public/#"] } } }

const token = (text: string) => ({ token: Redacted.make(text) })

const serve = Effect.fnUntraced(function* (rules: AccessRules) {
  const { access, replace } = Access.make(rules)
  const services = yield* Layer.build(layerNode({ access }))
  const { url } = Context.get(services, GrpcServer)
  return { access, replace, url, topics: (options?: Partial<GrpcTopicsOptions>) => connect(url, options) }
})

const denial = (verb: string, principal: string) => ({ _tag: "AccessDenied", verb, principal })

describe("over gRPC (I9)", () => {
  it.live("who shows a token may do what its rules say, and no more", () =>
    Effect.gen(function* () {
      const { topics, url } = yield* serve(rules)
      const sensor = yield* topics(token("sensor-token"))
      const reader = yield* topics(token("reader-token"))
      yield* sensor.publish("measured/t4", "21.5")
      expect((yield* reader.fetch("measured/t4")).map(({ payload }) => String(payload))).toEqual(["21.5"])
      expect(yield* Effect.flip(sensor.publish("other", "x"))).toMatchObject({
        ...denial("publish", "sensor"),
        object: "other",
        message: 'access rules do not let sensor publish to "other"',
      })
      expect(yield* Effect.flip(sensor.fetch("measured/t4"))).toMatchObject(denial("subscribe", "sensor"))
      expect(yield* Effect.flip(Stream.runDrain(sensor.subscribe("#")))).toMatchObject(denial("subscribe", "sensor"))
      expect(yield* Effect.flip(reader.publish("measured/t4", "x"))).toMatchObject(denial("publish", "reader"))
      const queues = yield* connectQueues(url, token("reader-token"))
      yield* queues.enqueue("jobs", "work")
      expect(yield* Effect.flip(queues.enqueue("mail", "work"))).toMatchObject(denial("queue", "reader"))
    }),
  )

  it.live("nobody gets in without a token that is known, from where it may come", () =>
    Effect.gen(function* () {
      const { topics } = yield* serve(rules)
      for (const options of [{}, token("other-token"), token(hashOf("sensor-token")), token("elsewhere-token")]) {
        const client = yield* topics(options)
        for (const attempt of [
          client.publish("measured/t4", "x"),
          client.publishAll([{ topic: "measured/t4", payload: "x" }]),
          client.fetch("measured/t4"),
          client.heads,
          client.cursor,
          Stream.runDrain(client.subscribe("measured/t4")),
          client.consume("cursor", "measured/t4", () => Effect.void),
        ]) {
          expect(yield* Effect.flip<unknown, { readonly _tag: string }, never>(attempt)).toMatchObject({
            _tag: "AccessDenied",
            verb: "connect",
          })
        }
      }
    }),
  )

  it.live("who shows no token is .grpc, where that is listed", () =>
    Effect.gen(function* () {
      const { topics } = yield* serve(open)
      const anybody = yield* topics()
      const sensor = yield* topics(token("sensor-token"))
      yield* sensor.publish("measured/t4", "x")
      expect(yield* anybody.heads).toEqual([])
      expect(yield* anybody.fetch("public/a")).toEqual([])
      expect(yield* Effect.flip(anybody.fetch("measured/t4"))).toMatchObject(denial("subscribe", ".grpc"))
    }),
  )

  it.live("whether there is a node, and whether it is ready, everybody may ask", () =>
    Effect.gen(function* () {
      const { topics, url } = yield* serve(rules)
      const anybody = yield* topics()
      expect(yield* anybody.info).toMatchObject({ node: { tenant: "tenant" } })
      yield* anybody.check
      const msgbus = yield* MsgbusClient.make(url.slice("grpc://".length))
      expect(yield* msgbus.call("Health")).toMatchObject({ status: "SERVING" })
      expect(yield* msgbus.call("Ready")).toMatchObject({ ready: true })
      for (const method of ["ListHeads", "ListPeerSyncStates", "GetHead"]) {
        expect(yield* Effect.flip(msgbus.call(method))).toMatchObject({ code: grpc.status.UNAUTHENTICATED })
      }
    }),
  )

  it.live("a credential that is no bearer token is told so", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(open)
      const client = new grpc.Client(url.slice("grpc://".length), grpc.credentials.createInsecure())
      yield* Effect.addFinalizer(() => Effect.sync(() => client.close()))
      const call = (authorization?: string) =>
        Effect.callback<grpc.ServiceError | null>((resume) => {
          const metadata = new grpc.Metadata()
          if (authorization !== undefined) metadata.set("authorization", authorization)
          const path = "/msgbus.v1.MsgbusService/ListHeads"
          const asIs = (bytes: Buffer): Buffer => bytes
          client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, (failure) =>
            resume(Effect.succeed(failure)),
          )
        })
      expect(yield* call()).toBeNull()
      expect(yield* call("bearer reader-token")).toBeNull()
      for (const wrong of ["Basic cmVhZGVy", "Bearer", "reader-token"]) {
        const failure = yield* call(wrong)
        expect(failure).toMatchObject({ code: grpc.status.UNAUTHENTICATED })
        expect(failure?.details).not.toContain("reader-token")
      }
    }),
  )

  it.live("a stream whose rules change comes back under the new ones, and the others stay", () =>
    Effect.gen(function* () {
      const { access, replace, topics } = yield* serve(open)
      const lost = yield* Deferred.make<string>()
      const restored = yield* Deferred.make<void>()
      const reader = yield* topics({
        ...token("reader-token"),
        onReconnect: (event) =>
          event._tag === "Lost"
            ? Effect.asVoid(Deferred.succeed(lost, event.reason))
            : event._tag === "Restored"
              ? Effect.asVoid(Deferred.succeed(restored, undefined))
              : Effect.void,
      })
      const anybody = yield* topics({ onReconnect: () => Effect.die(new Error("it has been disconnected")) })
      const sensor = yield* topics(token("sensor-token"))
      const live = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const got: Array<string> = []
      const reading = yield* Effect.forkScoped(
        Stream.runForEach(
          reader.subscribe("#", { onLive: Effect.asVoid(Deferred.succeed(live[0], undefined)) }),
          ({ payload }) => Effect.sync(() => got.push(Buffer.from(payload).toString())),
        ),
      )
      const looking = yield* Effect.forkScoped(
        Stream.runDrain(anybody.subscribe("public/#", { onLive: Effect.asVoid(Deferred.succeed(live[1], undefined)) })),
      )
      yield* Deferred.await(live[0])
      yield* Deferred.await(live[1])
      yield* sensor.publish("measured/t4", "1")

      // Disconnected, and back.
      yield* access.forceDisconnect("reader")
      expect(yield* Deferred.await(lost)).toContain("the access rules have changed")
      yield* Deferred.await(restored)
      yield* sensor.publish("measured/t4", "2")

      // Its rules have gone: it does not come back.
      const { reader: _, ...others } = open.principals
      expect(replace({ principals: others })).toEqual(["reader"])
      expect(yield* Effect.flip(Fiber.join(reading))).toMatchObject({ _tag: "AccessDenied", verb: "connect" })
      expect(looking.pollUnsafe()).toBeUndefined()
      expect(got.slice(0, 1)).toEqual(["1"])
    }),
  )

  it.live("a publisher whose rules change has what it sent answered, and is judged anew", () =>
    Effect.gen(function* () {
      const { replace, topics } = yield* serve(rules)
      const sensor = yield* topics(token("sensor-token"))
      const reader = yield* topics(token("reader-token"))
      yield* sensor.publish("measured/t4", "1", { key: "1" })
      replace({ principals: { ...rules.principals, sensor: { ...rules.principals["sensor"], publish: ["other"] } } })
      expect(yield* Effect.flip(sensor.publish("measured/t4", "2", { key: "2" }))).toMatchObject(
        denial("publish", "sensor"),
      )
      expect((yield* reader.fetch("measured/t4")).length).toBe(1)
      yield* sensor.publish("other", "3", { key: "3" })
    }),
  )
})
