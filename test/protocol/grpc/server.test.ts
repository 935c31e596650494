/**
 * The server's life: where it listens, what it takes, how it ends.
 */
import { expect, it, vi } from "@effect/vitest"
import { Metadata, status } from "@grpc/grpc-js"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Queue, Result, Scope, Stream } from "effect"
import { execFile } from "node:child_process"
import * as http2 from "node:http2"
import * as net from "node:net"
import {
  InvalidArgument,
  NotPermitted,
  OutcomeUnknown,
  StorageFailed,
  StorageFull,
  Unavailable,
} from "../../../src/domain/errors.ts"
import { Admission } from "../../../src/protocol/grpc/server/Admission.ts"
import * as errorCodec from "../../../src/protocol/grpc/codec/errorCodec.ts"
import { GrpcServer, layerServer, layerTopics } from "../../../src/protocol/grpc/index.ts"
import { Topics } from "../../../src/topics/index.ts"
import * as Proxy from "../../support/Proxy.ts"
import { connect, layerNode, restartable } from "./TestNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

it.live("port 0 takes a free port, and says which", () =>
  Effect.gen(function* () {
    const services = yield* Layer.build(layerNode())
    const { port, url } = Context.get(services, GrpcServer)
    expect(port).toBeGreaterThan(0)
    expect(url).toBe(`grpc://127.0.0.1:${port}`)
    expect((yield* (yield* connect(url.replace("grpc:", "http:"))).info).node.tenant).toBe("tenant")
  }),
)

it.live("a taken port is refused in one sentence", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const error = yield* Effect.flip(
      Layer.build(
        layerServer({ host: "127.0.0.1", port: node.port }).pipe(Layer.provide(Layer.succeed(Topics, node.topics()))),
      ),
    )
    expect(error).toMatchObject({
      _tag: "GrpcListenFailed",
      message: `cannot listen on 127.0.0.1:${node.port}: the port is in use`,
    })
  }),
)

it.live("URLs that are none of ours are refused", () =>
  Effect.gen(function* () {
    for (const url of [
      "",
      "127.0.0.1:50051",
      "grpc://127.0.0.1",
      "grpc://:50051",
      "grpc://127.0.0.1:0",
      "grpc://127.0.0.1:70000",
      "grpc://host:50051/path",
      "grpc://user@host:50051",
      "ftp://host:1",
      "unix:/run/x",
    ]) {
      const error = yield* Effect.flip(Layer.build(layerTopics({ url })))
      expect(error).toBeInstanceOf(InvalidArgument)
      expect(error.argument).toBe("url")
    }
    yield* Layer.build(layerTopics({ url: "grpc://[::1]:50051/" }))
  }),
)

it.live("garbage, half connections and other protocols on the port do no harm", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    const sendRaw = (bytes: string | Uint8Array) =>
      Effect.callback<void>((resume) => {
        const socket = net.connect(node.port, "127.0.0.1", () => socket.end(bytes))
        socket.on("error", () => undefined)
        socket.resume()
        socket.on("close", () => resume(Effect.void))
      })
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    yield* Effect.all(
      [
        sendRaw("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        sendRaw(Buffer.alloc(100_000, 0xff)),
        sendRaw(Buffer.concat([preface, Buffer.alloc(1000, 0xfe)])),
        sendRaw(preface.subarray(0, 10)),
        sendRaw(""),
        // A frame that says it is 16 MiB long.
        sendRaw(Buffer.concat([preface, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])])),
      ],
      { concurrency: "unbounded" },
    )
    expect((yield* topics.publish("a", "b")).offset).toBe(1)
  }),
)

it.live("a request that is no message, or too large a one, is answered with a status, and costs nobody else", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const topics = yield* connect(node.url)
    const session = http2.connect(`http://127.0.0.1:${node.port}`)
    yield* Effect.addFinalizer(() => Effect.sync(() => session.destroy()))
    const statusOf = (path: string, body: Buffer) =>
      Effect.callback<number>((resume) => {
        const stream = session.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
        })
        stream.on("response", (headers) => {
          if (headers["grpc-status"] !== undefined) resume(Effect.succeed(Number(headers["grpc-status"])))
        })
        stream.on("trailers", (headers) => resume(Effect.succeed(Number(headers["grpc-status"]))))
        stream.on("error", () => undefined)
        stream.resume()
        stream.end(body)
      })
    const framed = (bytes: Buffer, length = bytes.length) => {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(length, 1)
      return Buffer.concat([head, bytes])
    }
    const garbage = framed(Buffer.alloc(50, 0xff))
    expect(yield* statusOf("/msgbus.v1.MsgbusService/Publish", garbage)).toBe(status.INVALID_ARGUMENT)
    expect(yield* statusOf("/msgbus.v1.MsgbusService/Subscribe", garbage)).toBe(status.INVALID_ARGUMENT)
    expect(yield* statusOf("/millrace.v1.TopicsService/Publish", garbage)).toBe(status.INVALID_ARGUMENT)
    // A topic that is not UTF-8.
    expect(yield* statusOf("/msgbus.v1.MsgbusService/GetHead", framed(Buffer.from([10, 1, 0xff])))).toBe(
      status.INVALID_ARGUMENT,
    )
    expect(yield* statusOf("/msgbus.v1.MsgbusService/Publish", framed(Buffer.alloc(0), 0xff_ff_ff_ff))).toBe(
      status.RESOURCE_EXHAUSTED,
    )
    expect(yield* statusOf("/msgbus.v1.MsgbusService/Nothing", framed(Buffer.alloc(0)))).toBe(status.UNIMPLEMENTED)
    expect((yield* topics.publish("a", "b")).offset).toBe(1)
  }),
)

it.live("closing ends subscriptions as unavailable and refuses new calls, while calls under way are answered", () =>
  Effect.gen(function* () {
    const entered = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    const node = yield* restartable({
      decorate: (topics) => ({
        ...topics,
        head: (topic, origin) =>
          Deferred.succeed(entered, undefined).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.andThen(topics.head(topic, origin)),
          ),
      }),
    })
    const topics = yield* connect(node.url, { reconnectFor: 0 })
    const live = yield* Queue.unbounded<void>()
    const subscription = yield* Effect.forkScoped(
      Effect.flip(Stream.runDrain(topics.subscribe("t", { onLive: Queue.offer(live, undefined) }))),
    )
    yield* Queue.take(live)
    const head = yield* Effect.forkScoped(topics.head("t"))
    yield* Deferred.await(entered)
    const stopping = yield* Effect.forkScoped(node.stop, { startImmediately: true })
    const error = yield* Fiber.join(subscription)
    expect(error).toBeInstanceOf(Unavailable)
    expect(error.message).toBe("the node is shutting down")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(head)
    yield* Fiber.join(stopping)
    expect(yield* Effect.flip(topics.info)).toBeInstanceOf(Unavailable)
  }),
)

it.live("an interrupted or timed out call ends at the node too", () =>
  Effect.gen(function* () {
    const ended = yield* Queue.unbounded<void>()
    const entered = yield* Queue.unbounded<void>()
    const hang = Effect.onInterrupt(Effect.andThen(Queue.offer(entered, undefined), Effect.never), () =>
      Queue.offer(ended, undefined),
    )
    const node = yield* restartable({ decorate: (topics) => ({ ...topics, head: () => hang, fetch: () => hang }) })
    const topics = yield* connect(node.url)
    for (const call of [topics.head("a"), topics.fetch("a")]) {
      const fiber = yield* Effect.forkChild(call)
      yield* Queue.take(entered)
      yield* Fiber.interrupt(fiber)
      yield* Queue.take(ended)
    }
    const hasty = yield* connect(node.url, { timeout: "200 millis" })
    for (const call of [Effect.asVoid(hasty.head("a")), Effect.asVoid(hasty.fetch("a"))]) {
      const error = yield* Effect.flip(call)
      expect(error).toBeInstanceOf(Unavailable)
      expect(error.message).toBe(`the node at ${node.url} did not answer in time`)
      yield* Queue.take(ended)
    }
  }),
)

it.live("a delete whose answer is lost has an unknown outcome; one that was never sent is unavailable", () =>
  Effect.gen(function* () {
    const node = yield* restartable()
    const proxy = yield* Proxy.make(node.port)
    const topics = yield* connect(proxy.url)
    yield* topics.publish("a", "1")
    proxy.mute()
    const lost = yield* Effect.forkChild(Effect.flip(topics.deleteRange("a", 1, 1)), { startImmediately: true })
    yield* Effect.repeat(node.topics().head("$msgbus.delete"), { until: Option.isSome })
    proxy.refuse(true)
    proxy.cut()
    expect(yield* Fiber.join(lost)).toBeInstanceOf(OutcomeUnknown)
    const never = yield* connect("grpc://127.0.0.1:1")
    expect(yield* Effect.flip(never.deleteRange("a", 1, 1))).toBeInstanceOf(Unavailable)
  }),
)

it.live("a message that only its framing makes too large is refused before it breaks the stream for others", () =>
  Effect.gen(function* () {
    const node = yield* restartable({ maxMessageBytes: 100_000 })
    const topics = yield* connect(node.url)
    const headers = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`${i}`, ""]))
    const [large, small] = yield* Effect.all(
      [Effect.result(topics.publish("a", "", { headers })), Effect.result(topics.publish("a", "fine"))],
      { concurrency: "unbounded" },
    )
    expect(Result.getFailure(large)).toMatchObject({ value: { _tag: "MessageTooLarge" } })
    expect(Result.isSuccess(small)).toBe(true)
  }),
)

it.live("errors of every kind cross whole", () =>
  Effect.sync(() => {
    const errors = [
      new InvalidArgument({ argument: "topic", message: "grüße\ud800" }),
      new NotPermitted({ message: "no" }),
      new StorageFailed({ operation: "append", message: "x".repeat(10_000) }),
      new StorageFull({ operation: "append", message: "the disk is full" }),
    ]
    for (const error of errors) {
      const { code, details, metadata } = errorCodec.toStatus(error)
      const back = errorCodec.fromStatus(Object.assign(new Error(details), { code, details, metadata }))
      expect(back).toBeInstanceOf(error.constructor)
      expect(error.message.toWellFormed().startsWith(back!.message)).toBe(true)
    }
    const foreign = Object.assign(new Error(""), { code: status.UNKNOWN, details: "", metadata: new Metadata() })
    expect(errorCodec.fromStatus(foreign)).toBeUndefined()
    foreign.metadata.set(errorCodec.errorKey, Buffer.alloc(9, 0xff))
    expect(errorCodec.fromStatus(foreign)).toBeUndefined()
  }),
)

it.live("room is given in the order in which it was asked for, and an interrupted wish takes none", () =>
  Effect.gen(function* () {
    const admission = new Admission(100)
    const done: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const work = (name: string, bytes: number) =>
      admission.within(
        bytes,
        Infinity,
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => done.push(name)),
        ),
      )
    const fork = (name: string, bytes: number) => Effect.forkScoped(work(name, bytes), { startImmediately: true })
    const first = yield* fork("first", 90)
    const given = yield* fork("given up", 60)
    const second = yield* fork("second", 100)
    const third = yield* fork("third", 1)
    expect(admission.tryEnter(1)).toBe(false)
    yield* Fiber.interrupt(given)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.awaitAll([first, second, third])
    expect(done).toEqual(["first", "second", "third"])
    // Larger than everything: it gets in alone.
    expect(admission.tryEnter(1000)).toBe(true)
    const error = yield* Effect.flip(admission.within(1, 50, Effect.void))
    expect(errorCodec.toStatus(error).code).toBe(status.RESOURCE_EXHAUSTED)
  }),
)

it.live(
  "when node and client are closed the process ends by itself",
  () =>
    Effect.gen(function* () {
      const script = `
        const { Effect, Layer, Stream } = await import("effect")
        const { layerNode, connect } = await import("./test/protocol/grpc/TestNode.ts")
        const { GrpcServer } = await import("./src/protocol/grpc/index.ts")
        await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          const { url } = yield* GrpcServer
          const topics = yield* connect(url)
          yield* topics.publish("a", "b")
          yield* topics.subscribe("a", { from: "start" }).pipe(Stream.take(1), Stream.runDrain)
          yield* Effect.forkScoped(Stream.runDrain(topics.subscribe("a")))
        })).pipe(Effect.provide(layerNode())))
        console.log("closed")`
      const output = yield* Effect.callback<string, Error>((resume) => {
        execFile(process.execPath, ["--input-type=module", "-e", script], { timeout: 15_000 }, (error, stdout) =>
          resume(error === null ? Effect.succeed(stdout) : Effect.fail(error)),
        )
      })
      expect(output).toBe("closed\n")
    }),
  20_000,
)

it.live("closing twice, and closing what never listened, is quiet", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(layerNode(), scope)
    yield* Scope.close(scope, Exit.void)
    yield* Scope.close(scope, Exit.void)
  }),
)
