/**
 * Health checks as probes and load balancers make them, by a client that shares nothing with the server.
 */
import { expect, it, vi } from "@effect/vitest"
import * as grpc from "@grpc/grpc-js"
import { Effect, Queue, SubscriptionRef } from "effect"
import { service } from "grpc-health-check"
import { Unavailable } from "../../../src/domain/errors.ts"
import type { Readiness, ReadinessState } from "../../../src/readiness/index.ts"
import { restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

interface Health {
  readonly status: string
}

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure())),
    (client) => Effect.sync(() => client.close()),
  )

const check = (client: grpc.Client, name: string) =>
  Effect.callback<string, grpc.status>((resume) => {
    const { path, requestSerialize, responseDeserialize } = service["Check"]!
    client.makeUnaryRequest<object, Health>(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Health,
      { service: name },
      (failure, answer) => resume(failure === null ? Effect.succeed(answer!.status) : Effect.fail(failure.code)),
    )
  })

/** What a watcher is told, and at last the status with which it is ended. */
const watch = Effect.fnUntraced(function* (client: grpc.Client, name: string) {
  const told = yield* Queue.unbounded<string>()
  const { path, requestSerialize, responseDeserialize } = service["Watch"]!
  const call = client.makeServerStreamRequest<object, Health>(
    path,
    requestSerialize,
    responseDeserialize as (bytes: Buffer) => Health,
    { service: name },
  )
  call.on("data", ({ status }: Health) => void Queue.offerUnsafe(told, status))
  call.on("error", ({ code }: grpc.ServiceError) => void Queue.offerUnsafe(told, grpc.status[code]))
  yield* Effect.addFinalizer(() => Effect.sync(() => call.cancel()))
  return told
})

/** A readiness that is what the test says. */
const makeReadiness = Effect.gen(function* () {
  const ref = yield* SubscriptionRef.make<ReadinessState>({ ready: true, status: "READY", error: "", since: 0 })
  const readiness: Readiness["Service"] = {
    current: SubscriptionRef.get(ref),
    known: () => Effect.runSync(SubscriptionRef.get(ref)),
    changes: SubscriptionRef.changes(ref),
    check: Effect.flatMap(SubscriptionRef.get(ref), ({ ready, error }) =>
      ready ? Effect.void : Effect.fail(new Unavailable({ message: error })),
    ),
    hold: () => Effect.void,
    remark: () => Effect.void,
    remarks: Effect.succeed([]),
  }
  const set = (ready: boolean) =>
    SubscriptionRef.set<ReadinessState>(ref, {
      ready,
      status: ready ? "READY" : "NOT_READY",
      error: ready ? "" : "the disk is gone",
      since: 1,
    })
  return { readiness, set }
})

const names = ["", "msgbus.v1.MsgbusService", "millrace.v1.TopicsService", "millrace.v1.QueuesService"]

it.live("every service is serving while the node is ready, and watchers are told of each change", () =>
  Effect.gen(function* () {
    const { readiness, set } = yield* makeReadiness
    const node = yield* restartable({ readiness })
    const client = yield* connect(node.port)
    const watchers = yield* Effect.forEach(names, (name) => watch(client, name))
    for (const watcher of watchers) expect(yield* Queue.take(watcher)).toBe("SERVING")
    for (const ready of [false, true, false, true]) {
      yield* set(ready)
      const status = ready ? "SERVING" : "NOT_SERVING"
      for (const name of names) expect(yield* check(client, name)).toBe(status)
      for (const watcher of watchers) expect(yield* Queue.take(watcher)).toBe(status)
    }
  }),
)

it.live("a service that nobody knows is NOT_FOUND, and SERVICE_UNKNOWN to a watcher", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const client = yield* connect(node.port)
    expect(yield* Effect.flip(check(client, "nobody.v1.Knows"))).toBe(grpc.status.NOT_FOUND)
    expect(yield* Queue.take(yield* watch(client, "nobody.v1.Knows"))).toBe("SERVICE_UNKNOWN")
  }),
)

it.live("a server that closes is not serving before its streams are ended", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const client = yield* connect(node.port)
    const told = yield* Effect.forEach(names, (name) => watch(client, name))
    for (const watcher of told) expect(yield* Queue.take(watcher)).toBe("SERVING")
    yield* node.stop
    for (const watcher of told) expect(yield* Queue.takeN(watcher, 2)).toEqual(["NOT_SERVING", "UNAVAILABLE"])
  }),
)

it.live("bytes that are no request are INVALID_ARGUMENT", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const client = yield* connect(node.port)
    const asIs = (bytes: Buffer) => bytes
    for (const path of [
      "/grpc.health.v1.Health/Check",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ]) {
      const code = yield* Effect.callback<grpc.status>((resume) => {
        const call = client.makeBidiStreamRequest(path, asIs, asIs)
        call.on("error", (failure: grpc.ServiceError) => resume(Effect.succeed(failure.code)))
        call.on("end", () => undefined)
        call.resume()
        call.end(Buffer.from([0x0a, 0xff]))
      })
      expect([path, code]).toEqual([path, grpc.status.INVALID_ARGUMENT])
    }
    expect(yield* check(client, "")).toBe("SERVING")
  }),
)
