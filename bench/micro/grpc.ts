/**
 * What the gRPC protocols cost, without a disk: topics over a memory store, client and server in this process, payloads
 * of 100 bytes. Each ratio is the median of pairs that were run one after another, in this run.
 *
 *     node bench/micro/grpc.ts [--json] [--pairs N]
 *
 * - `unary publish`: msgbus.v1 Publish, 64 calls under way, against a bare gRPC server that answers the same bytes.
 * - `batched publish`: millrace.v1 through the client layer, 1,000 fibers publishing, against `unary publish`.
 * - `publishAll`: the same in batches of 1,000, one after another.
 * - `subscribe`: millrace.v1 replay through the client layer, against `unary publish`.
 * - `msgbus subscribe`: msgbus.v1 replay, one message an answer.
 */
import { create, toBinary } from "@bufbuild/protobuf"
import { Client, credentials, type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js"
import { Context, Effect, Layer, Stream } from "effect"
import { GrpcServer, layerServer, layerTopics } from "../../src/protocol/grpc/index.ts"
import * as codec from "../../src/protocol/grpc/codec/codec.ts"
import {
  MsgbusService,
  PublishRequestSchema,
  PublishResponseSchema,
  SubscribeRequestSchema,
} from "../../src/protocol/grpc/gen/msgbus/v1/msgbus_pb.ts"
import { path } from "../../src/protocol/grpc/codec/wire.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { layer as layerLocalTopics, Topics } from "../../src/topics/index.ts"

const argument = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(name)
  return at === -1 ? otherwise : Number(process.argv[at + 1])
}
const pairs = argument("--pairs", 5)
const asJson = process.argv.includes("--json")

const payload = Buffer.alloc(100, "x")
const topic = "bench/grpc"
const identity = (bytes: Buffer): Buffer => bytes
const request = Buffer.from(toBinary(PublishRequestSchema, create(PublishRequestSchema, { topic, payload })))

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** How many a second. */
const rate = async (count: number, work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return (count / (performance.now() - began)) * 1000
}

const clientOf = (port: number): Client => new Client(`127.0.0.1:${port}`, credentials.createInsecure())

/** Makes unary calls of the same bytes, 64 under way. */
const unaryCalls = (client: Client, count: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let begun = 0
    let done = 0
    const next = (): void => {
      if (begun >= count) return
      begun++
      client.makeUnaryRequest(path(MsgbusService.method.publish), identity, identity, request, (error) => {
        if (error !== null) return reject(error)
        if (++done === count) resolve()
        else next()
      })
    }
    for (let i = 0; i < 64; i++) next()
  })

/** Reads so many answers of a stream. */
const streamed = (client: Client, count: number): Promise<void> =>
  new Promise((resolve) => {
    const call = client.makeServerStreamRequest(
      path(MsgbusService.method.subscribe),
      identity,
      identity,
      Buffer.from(toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { topic, fromHeadId: 1n }))),
    )
    let seen = 0
    call.on("error", () => undefined)
    call.on("data", () => {
      if (++seen !== count) return
      call.cancel()
      resolve()
    })
  })

const startEcho = (): Promise<{ server: Server; port: number }> => {
  const server = new Server()
  const answer = Buffer.from(
    toBinary(
      PublishResponseSchema,
      create(PublishResponseSchema, {
        message: codec.envelope({
          topic,
          origin: { tenant: "tenant", line: "default", device: "device" },
          offset: 123_456,
          position: 123_456,
          id: crypto.randomUUID(),
          createdAt: Date.now(),
          headers: {},
          payload,
          deleted: false,
        }),
      }),
    ),
  )
  const respond: handleUnaryCall<Buffer, Buffer> = (_call, callback) => callback(null, answer)
  server.register(path(MsgbusService.method.publish), respond, identity, identity, "unary")
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve({ server, port }) : reject(error),
    )
  })
}

const node = layerServer({ host: "127.0.0.1", port: 0 }).pipe(
  Layer.provide(layerLocalTopics.pipe(Layer.provide(Memory.layer()))),
)

const main = Effect.gen(function* () {
  const services = yield* Layer.build(node)
  const { url, port } = Context.get(services, GrpcServer)
  const topics = Context.get(yield* Layer.build(layerTopics({ url })), Topics)
  const echo = yield* Effect.promise(startEcho)
  const echoClient = clientOf(echo.port)
  const nodeClient = clientOf(port)

  const unaryCount = 4000
  const batchedCount = 60_000
  let stored = 0
  const ways = {
    "bare echo": () => rate(unaryCount, () => unaryCalls(echoClient, unaryCount)),
    "unary publish": () => {
      stored += unaryCount
      return rate(unaryCount, () => unaryCalls(nodeClient, unaryCount))
    },
    "batched publish": () => {
      stored += batchedCount
      const publisher = Effect.forEach(
        Array.from({ length: batchedCount / 1000 }),
        () => topics.publish(topic, payload),
        { discard: true },
      )
      return rate(batchedCount, () =>
        Effect.runPromise(
          Effect.forEach(Array.from({ length: 1000 }), () => publisher, { concurrency: "unbounded", discard: true }),
        ),
      )
    },
    publishAll: () => {
      stored += batchedCount
      const batch = Array.from({ length: 1000 }, () => ({ topic, payload }))
      return rate(batchedCount, () =>
        Effect.runPromise(
          Effect.forEach(Array.from({ length: batchedCount / 1000 }), () => topics.publishAll(batch), {
            discard: true,
          }),
        ),
      )
    },
    subscribe: () =>
      rate(batchedCount, () =>
        Effect.runPromise(topics.subscribe(topic, { from: "start" }).pipe(Stream.take(batchedCount), Stream.runDrain)),
      ),
    "msgbus subscribe": () => rate(batchedCount, () => streamed(nodeClient, batchedCount)),
  }
  const names = Object.keys(ways) as Array<keyof typeof ways>
  const rates = new Map<string, Array<number>>(names.map((name) => [name, []]))
  // The first round warms up and is not counted.
  for (let round = 0; round <= pairs; round++) {
    for (const name of names) {
      const value = yield* Effect.promise(ways[name])
      if (round > 0) rates.get(name)!.push(value)
    }
  }
  const ratio = (name: string, baseline: string): number =>
    median(rates.get(name)!.map((value, i) => value / rates.get(baseline)![i]!))
  const baselines = {
    "unary publish": "bare echo",
    "batched publish": "unary publish",
    publishAll: "unary publish",
    subscribe: "unary publish",
    "msgbus subscribe": "unary publish",
  }
  for (const [name, baseline] of Object.entries(baselines)) {
    const row = {
      suite: "grpc",
      name,
      value: Math.round(median(rates.get(name)!)),
      unit: "messages/s",
      baseline: `${baseline}, ${Math.round(median(rates.get(baseline)!))}/s`,
      ratio: Number(ratio(name, baseline).toFixed(2)),
    }
    process.stdout.write(
      asJson
        ? `${JSON.stringify(row)}\n`
        : `${row.name.padEnd(18)}${String(row.value).padStart(9)} ${row.unit}  ${row.ratio.toFixed(2).padStart(6)} x  ${row.baseline}\n`,
    )
  }
  echoClient.close()
  nodeClient.close()
  echo.server.forceShutdown()
})

await Effect.runPromise(Effect.scoped(main))
