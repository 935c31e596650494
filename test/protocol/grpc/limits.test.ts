/**
 * What a server allows, how both sides notice that the other is gone, and what a deadline does: with real sockets.
 */
import { expect, it, vi } from "@effect/vitest"
import * as grpc from "@grpc/grpc-js"
import { Deferred, Effect, Queue, Stream } from "effect"
import * as http2 from "node:http2"
import * as net from "node:net"
import { QueuesService } from "../../../src/protocol/grpc/gen/millrace/v1/queues_pb.ts"
import { TopicsService } from "../../../src/protocol/grpc/gen/millrace/v1/topics_pb.ts"
import { MsgbusService } from "../../../src/protocol/grpc/gen/msgbus/v1/msgbus_pb.ts"
import * as MsgbusClient from "../../interop/MsgbusClient.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connect, connectQueues, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const openSession = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<http2.ClientHttp2Session>((resume) => {
      const session = http2.connect(`http://127.0.0.1:${port}`)
      session.on("error", () => undefined)
      session.on("remoteSettings", () => resume(Effect.succeed(session)))
    }),
    (session) => Effect.sync(() => session.destroy()),
  )

const request = (path: string): http2.OutgoingHttpHeaders => ({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc",
  te: "trailers",
})

/** The status of a call that is sent no message beyond its headers. */
const statusOf = (session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders) =>
  Effect.callback<number | string>((resume) => {
    const stream = session.request({ ...request("/msgbus.v1.MsgbusService/Health"), ...headers })
    const done = (answer: http2.IncomingHttpHeaders) => {
      const status = answer["grpc-status"]
      if (status !== undefined) resume(Effect.succeed(Number(status)))
    }
    stream.on("response", done)
    stream.on("trailers", done)
    stream.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.message)))
    stream.on("close", () => resume(Effect.succeed(`closed with ${stream.rstCode}`)))
    stream.resume()
    stream.end(Buffer.alloc(5))
  })

it.live("one connection more than allowed is closed at once, and there is room again when one goes", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ maxConnections: 3 })
    const sessions = yield* Effect.forEach([1, 2, 3], () => openSession(node.port))
    const refused = Effect.callback<void>((resume) => {
      const socket = net.connect(node.port, "127.0.0.1")
      socket.on("error", () => undefined)
      socket.on("close", () => resume(Effect.void))
      socket.resume()
    })
    yield* refused
    for (const session of sessions) expect(yield* statusOf(session, {})).toBe(grpc.status.OK)
    yield* Effect.callback<void>((resume) => {
      sessions[0]!.on("close", () => resume(Effect.void))
      sessions[0]!.close()
    })
    const client = yield* MsgbusClient.make(`127.0.0.1:${node.port}`)
    const answer = Effect.retry(client.call("Health"), { while: ({ code }) => code === grpc.status.UNAVAILABLE })
    expect(yield* answer).toMatchObject({ status: "SERVING" })
  }),
)

it.live("a connection has so many streams and no more, which its client is told; others are not concerned", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ maxStreams: 5 })
    const session = yield* openSession(node.port)
    expect(session.remoteSettings.maxConcurrentStreams).toBe(5)
    // A client that keeps to it: twenty calls over one connection, five at a time, and each has its answer.
    const client = yield* MsgbusClient.make(`127.0.0.1:${node.port}`)
    const answers = yield* Effect.forEach(Array.from({ length: 20 }), () => client.call("Publish", { topic: "a" }), {
      concurrency: "unbounded",
    })
    expect(answers.map(({ message }) => Number(message!.head_id)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
  }),
)

it.live("the defaults are 1,024 connections and 1,024 streams", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    expect((yield* openSession(node.port)).remoteSettings.maxConcurrentStreams).toBe(1024)
  }),
)

it.live("headers beyond 64 KiB end their call, and nothing else", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const session = yield* openSession(node.port)
    expect(yield* statusOf(session, { "x-much": "x".repeat(8000) })).toBe(grpc.status.OK)
    const large = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, "x".repeat(4000)]))
    expect(yield* statusOf(session, large)).not.toBe(grpc.status.OK)
    const again = yield* openSession(node.port)
    expect(yield* statusOf(again, {})).toBe(grpc.status.OK)
  }),
)

it.live("a client that asks often whether the node is there is not sent away", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ keepAlive: 100 })
    const session = yield* openSession(node.port)
    let sentAway = false
    session.on("goaway", () => {
      sentAway = true
    })
    const ping = Effect.callback<void>((resume) => void session.ping(() => resume(Effect.void)))
    yield* Effect.repeat(Effect.andThen(ping, Effect.sleep(1)), { times: 300 })
    expect([sentAway, session.closed]).toEqual([false, false])
    expect(yield* statusOf(session, {})).toBe(grpc.status.OK)
  }),
)

it.live("a client that is gone without a word is noticed, and what it held is freed", () =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<void>()
    const begun = yield* Deferred.make<void>()
    const node = yield* restartable({
      keepAlive: 150,
      drain: 200,
      decorate: (topics) => ({
        ...topics,
        subscribe: (filter, options) =>
          Stream.onStart(topics.subscribe(filter, options), Deferred.succeed(begun, undefined)).pipe(
            Stream.ensuring(Deferred.succeed(ended, undefined)),
          ),
      }),
    })
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* Effect.forkScoped(Stream.runDrain(topics.subscribe("a")))
    yield* Deferred.await(begun)
    proxy.vanish()
    yield* Deferred.await(ended)
  }),
)

it.live("a node that is gone without a word is noticed, and the client goes on over another connection", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ drain: 200 })
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url, { keepAlive: 150 })
    const queues = yield* connectQueues(proxy.url, { keepAlive: 150 })
    const seen = yield* Queue.unbounded<string>()
    const note = ({ payload }: { readonly payload: Uint8Array }) => Queue.offer(seen, Buffer.from(payload).toString())
    yield* Effect.forkScoped(Stream.runForEach(topics.subscribe("a", { from: "start" }), note))
    yield* node.topics().publish("a", "message 1")
    expect(yield* Queue.take(seen)).toBe("message 1")
    yield* Effect.forkScoped(queues.take("q", note))
    yield* node.queues().enqueue("q", "item 1")
    expect(yield* Queue.take(seen)).toBe("item 1")
    proxy.vanish()
    yield* node.topics().publish("a", "message 2")
    expect(yield* Queue.take(seen)).toBe("message 2")
    // The node itself still believes in the taker that is gone; that one's place is taken over when it has noticed.
    yield* node.stop
    yield* node.start
    yield* node.queues().enqueue("q", "item 2")
    const rest = yield* Queue.take(seen)
    expect(rest === "item 1" ? yield* Queue.take(seen) : rest).toBe("item 2")
  }),
)

/** Calls whose deadline passes while the node is still at it; what the call was for is told of its interruption. */
it.live("a deadline ends every kind of call in time, on the node too", () =>
  Effect.gen(function* () {
    const interrupted = yield* Queue.unbounded<string>()
    const hang = (name: string) => Effect.onInterrupt(Effect.never, () => Queue.offer(interrupted, name))
    const node = yield* restartable({
      decorate: (topics) => ({
        ...topics,
        publish: () => hang("publish"),
        publishAll: () => hang("publishAll"),
        head: () => hang("head"),
        heads: hang("heads"),
        subscribe: () => Stream.fromEffect(hang("subscribe")),
      }),
    })
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new grpc.Client(`127.0.0.1:${node.port}`, grpc.credentials.createInsecure())),
      (client) => Effect.sync(() => client.close()),
    )
    const deadline = () => ({ deadline: Date.now() + 300 })
    const asIs = (bytes: Buffer) => bytes
    const code = (service: { readonly typeName: string }, method: string, body: Buffer, isOpen = false) =>
      Effect.callback<string>((resume) => {
        const call = client.makeBidiStreamRequest(`/${service.typeName}/${method}`, asIs, asIs, deadline())
        call.on("status", ({ code }: grpc.StatusObject) => resume(Effect.succeed(grpc.status[code])))
        call.on("error", () => undefined)
        call.resume()
        call.write(body)
        if (!isOpen) call.end()
      })
    // A message whose first field is the text "a": a topic, a filter.
    const named = Buffer.from([0x0a, 1, 0x61])
    const calls = [
      [MsgbusService, "Publish", named, "publish"],
      [MsgbusService, "Fetch", named, "head"],
      [MsgbusService, "ListHeads", Buffer.alloc(0), "heads"],
      [MsgbusService, "Subscribe", named, "subscribe"],
      [TopicsService, "Subscribe", named, "subscribe"],
    ] as const
    for (const [service, method, body, hangs] of calls) {
      expect([method, yield* code(service, method, body)]).toEqual([method, "DEADLINE_EXCEEDED"])
      expect([method, yield* Queue.take(interrupted)]).toEqual([method, hangs])
    }
    // start { queue: "q", attempts_max: 1 }
    const start = Buffer.from([0x0a, 5, 0x0a, 1, 0x71, 0x10, 1])
    expect(yield* code(QueuesService, "Take", start, true)).toBe("DEADLINE_EXCEEDED")
    // The queue is free: another one takes it.
    const queues = yield* connectQueues(node.url)
    const taken = yield* Deferred.make<void>()
    yield* Effect.forkScoped(
      Effect.retry(
        queues.take("q", () => Deferred.succeed(taken, undefined)),
        { while: ({ _tag }) => _tag === "QueueTaken" },
      ),
    )
    yield* node.queues().enqueue("q", "")
    yield* Deferred.await(taken)
  }),
)

it.live("a publish whose deadline passes before its commit began is taken back", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const client = yield* MsgbusClient.make(`127.0.0.1:${node.port}`)
    // Its time is over before it arrives.
    expect(yield* Effect.flip(client.call("Publish", { topic: "a" }, 0))).toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    })
    expect((yield* client.call("Publish", { topic: "a" })).message!.head_id).toBe("1")
  }),
)
