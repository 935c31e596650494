/**
 * A peer that answers whatever a test wants, over a real socket: HTTP/2 and gRPC's framing by hand, so that nothing keeps it
 * from sending what no gRPC library would. It has two logs, one of which it never lies about.
 */
import * as http2 from "node:http2"
import type { AddressInfo, Socket } from "node:net"
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf"
import { Effect, type Scope } from "effect"
import * as NodeId from "../../src/domain/NodeId.ts"
import { makeHeaders } from "../../src/domain/Message.ts"
import { type BlockContent, encodeBlock } from "../../src/storage/parts/Block.ts"
import * as Sync from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import * as Msgbus from "../../src/protocol/grpc/gen/msgbus/v1/msgbus_pb.ts"

interface MsgbusNode {
  readonly tenantId: string
  readonly blName: string
  readonly deviceId: string
}

/** A message as it goes over `msgbus.v1`. */
export interface Envelope {
  readonly id: string
  readonly topic: string
  readonly origin?: MsgbusNode
  readonly headId: bigint
  readonly payload: Uint8Array
  readonly headers: Record<string, string>
  readonly createdAtMs: bigint
}

/** A log and its head as they go over `msgbus.v1`. */
export interface Head {
  readonly topic: string
  readonly origin?: MsgbusNode
  readonly headId: bigint
}

/** Messages as they go over `millrace.v1`. */
export interface Block {
  readonly first: bigint
  readonly count: number
  readonly content: Uint8Array
}

export const bytesOf = <D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array =>
  toBinary(schema, create(schema, message))

/** A message in gRPC's framing. */
const framed = (bytes: Uint8Array): Buffer => {
  const frame = Buffer.alloc(5 + bytes.byteLength)
  frame.writeUInt32BE(bytes.byteLength, 1)
  frame.set(bytes, 5)
  return frame
}

/** What is answered to one call. */
export class Answer {
  readonly #stream: http2.ServerHttp2Stream

  constructor(stream: http2.ServerHttp2Stream) {
    this.#stream = stream
    stream.on("error", () => undefined)
  }

  get isOver(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  /** Sends one message; gives whether there is room for more. */
  send(message: Uint8Array): boolean {
    return this.sendBytes(framed(message))
  }

  /** The same without any framing. */
  sendBytes(bytes: Uint8Array): boolean {
    if (this.isOver) return false
    if (!this.#stream.headersSent) {
      this.#stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
    }
    return this.#stream.write(bytes)
  }

  /** Sends one message after another for as long as somebody takes them. */
  pour(next: (number: number) => Uint8Array): void {
    let number = 0
    const more = (): void => {
      while (!this.isOver) {
        if (!this.send(next(number++))) return void this.#stream.once("drain", more)
      }
    }
    more()
  }

  /** Sends one message after another, with a pause before each. */
  trickle(messages: ReadonlyArray<Uint8Array>, millis: number): void {
    const [first, ...others] = messages
    if (first === undefined) return this.end()
    setTimeout(() => {
      this.send(first)
      this.trickle(others, millis)
    }, millis).unref()
  }

  end(status = 0): void {
    if (this.isOver) return
    const trailers = { "grpc-status": `${status}` }
    if (!this.#stream.headersSent) {
      this.#stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true })
      return
    }
    this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(trailers))
    this.#stream.end()
  }

  /** Breaks the connection. */
  reset(): void {
    ;(this.#stream.session?.socket as Socket | undefined)?.resetAndDestroy()
  }
}

/** What is asked for by a call that gets messages. */
export interface Asked {
  readonly topic: string
  readonly from: number
  readonly limit: number
}

type Handler = (liar: Liar, answer: Answer, asked: Asked) => void

/** What a liar does otherwise than the truth, by method. */
export interface Lies {
  readonly Health?: Handler
  readonly ListHeads?: Handler
  /** Of any log but the honest one. */
  readonly Fetch?: Handler
  readonly Identify?: Handler
  readonly Heads?: Handler
  readonly WatchHeads?: Handler
  /** Of any log but the honest one, over `millrace.v1`. */
  readonly SyncFetch?: Handler
}

const methods: Readonly<Record<string, keyof Lies>> = {
  "/msgbus.v1.MsgbusService/Health": "Health",
  "/msgbus.v1.MsgbusService/ListHeads": "ListHeads",
  "/msgbus.v1.MsgbusService/Fetch": "Fetch",
  "/millrace.v1.SyncService/Identify": "Identify",
  "/millrace.v1.SyncService/Heads": "Heads",
  "/millrace.v1.SyncService/WatchHeads": "WatchHeads",
  "/millrace.v1.SyncService/Fetch": "SyncFetch",
}

export const msgbusNode = (id: NodeId.NodeId): MsgbusNode => ({
  tenantId: id.tenant,
  blName: id.line,
  deviceId: id.device,
})

const readAsked = (method: keyof Lies, bytes: Uint8Array): Asked => {
  if (method === "Fetch") {
    const { fromHeadId, limit, topic } = fromBinary(Msgbus.FetchRequestSchema, bytes)
    return { topic, from: Number(fromHeadId), limit }
  }
  if (method === "SyncFetch") {
    const { from, limit, log } = fromBinary(Sync.SyncServiceFetchRequestSchema, bytes)
    return { topic: log?.topic ?? "", from: Number(from), limit }
  }
  return { topic: "", from: 0, limit: 0 }
}

export class Liar {
  readonly id: NodeId.NodeId
  /** Whose logs are to be harmed. */
  readonly victim: NodeId.NodeId
  readonly honestTopic: string
  readonly topic: string
  url = ""
  /** What it has been asked for since it has lied about who it is. */
  readonly askedAfterwards: Array<string> = []
  isLying = false
  /** Ends its connections, so that it is looked at anew at once. */
  disconnect: () => void = () => undefined
  /** Messages of each log. */
  head = 5
  readonly #lies: Lies
  #hasLiedAboutItself = false
  #made: Uint8Array | undefined
  /** Whether it knows `millrace.v1`. */
  readonly #isMillrace: boolean

  constructor(name: string, victim: NodeId.NodeId, lies: Lies, isMillrace: boolean) {
    this.id = { tenant: "acme", line: "press", device: name }
    this.victim = victim
    this.honestTopic = `honest/${name}`
    this.topic = `lie/${name}`
    this.#lies = lies
    this.#isMillrace = isMillrace
  }

  /** The true message at an offset of one of its logs. */
  message(topic: string, offset: number): Envelope {
    return {
      id: `${this.id.device} ${topic} ${offset}`,
      topic,
      origin: msgbusNode(this.id),
      headId: BigInt(offset),
      payload: Buffer.from(`message ${offset}`),
      headers: { number: `${offset}` },
      createdAtMs: BigInt(1_700_000_000_000 + offset),
    }
  }

  /** The true answer to a question for messages. */
  messages({ from, limit, topic }: Asked): ReadonlyArray<Envelope> {
    const count = Math.max(0, Math.min(limit, this.head - from + 1))
    return Array.from({ length: count }, (_, i) => this.message(topic, from + i))
  }

  /** The true list. */
  heads(): Array<Head> {
    return [this.topic, this.honestTopic].map((topic) => ({
      topic,
      origin: msgbusNode(this.id),
      headId: BigInt(this.head),
    }))
  }

  /** Made once, for it takes long. */
  once(make: () => Uint8Array): Uint8Array {
    return (this.#made ??= make())
  }

  answer(path: string, request: Uint8Array, answer: Answer): void {
    const method = methods[path]
    if (method === undefined || (path.startsWith("/millrace") && !this.#isMillrace)) return answer.end(12)
    const asked = readAsked(method, request)
    const lie = this.isLying && asked.topic !== this.honestTopic ? this.#lies[method] : undefined
    if (this.#hasLiedAboutItself && this.isLying) this.askedAfterwards.push(method)
    if (lie !== undefined && (method === "Health" || method === "Identify")) this.#hasLiedAboutItself = true
    return (lie ?? truths[method])(this, answer, asked)
  }
}

const syncNode = ({ device, line, tenant }: NodeId.NodeId) => ({ device, line, tenant })

const syncHeads = (liar: Liar): Uint8Array =>
  bytesOf(Sync.HeadsResponseSchema, {
    heads: {
      origins: [syncNode(liar.id)],
      heads: liar.heads().map(({ headId, topic }) => ({ origin: 0, topic, offset: headId })),
    },
  })

/** A message as it stands in a block. */
export const contentOf = ({ createdAtMs, headers, id, payload }: Envelope): BlockContent => ({
  id,
  createdAt: Number(createdAtMs),
  headers: makeHeaders(headers),
  payload,
})

/** A block of true messages, of which there is at least one, or what is made of them. */
export const blockOf = (
  messages: ReadonlyArray<Envelope>,
  change: (content: BlockContent) => BlockContent = (content) => content,
): Block => ({
  first: messages[0]!.headId,
  count: messages.length,
  content: encodeBlock(messages.map((message) => change(contentOf(message)))),
})

const truths: Readonly<Record<keyof Lies, Handler>> = {
  Health: (liar, answer) => {
    answer.send(bytesOf(Msgbus.HealthResponseSchema, { status: "SERVING", node: msgbusNode(liar.id) }))
    answer.end()
  },
  ListHeads: (liar, answer) => {
    answer.send(bytesOf(Msgbus.ListHeadsResponseSchema, { heads: liar.heads() }))
    answer.end()
  },
  Fetch: (liar, answer, asked) => {
    for (const message of liar.messages(asked)) answer.send(bytesOf(Msgbus.FetchResponseSchema, { message }))
    answer.end()
  },
  Identify: (liar, answer) => {
    answer.send(bytesOf(Sync.IdentifyResponseSchema, { node: syncNode(liar.id), incarnation: liar.id.device }))
    answer.end()
  },
  Heads: (liar, answer) => {
    answer.send(syncHeads(liar))
    answer.end()
  },
  // It never ends, and tells all that there is every second.
  WatchHeads: (liar, answer) => {
    const tell = (): void => {
      if (answer.isOver) return
      answer.send(syncHeads(liar))
      setTimeout(tell, 1000).unref()
    }
    tell()
  },
  SyncFetch: (liar, answer, asked) => {
    const messages = liar.messages(asked)
    if (messages.length > 0) answer.send(bytesOf(Sync.SyncServiceFetchResponseSchema, { block: blockOf(messages) }))
    answer.end()
  },
}

/** Has it listen, until the scope closes. */
export const listen = (liar: Liar): Effect.Effect<Liar, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<http2.Http2Server>((resume) => {
      // Large answers wait in memory here, and not only a few of them.
      const server = http2.createServer({ maxSessionMemory: 1000 })
      const sessions = new Set<http2.ServerHttp2Session>()
      server.on("session", (session) => {
        sessions.add(session)
        session.on("error", () => undefined)
        session.on("close", () => sessions.delete(session))
      })
      liar.disconnect = () => {
        for (const session of sessions) session.destroy()
      }
      server.on("close", liar.disconnect)
      server.on("stream", (stream, headers) => {
        const pieces: Array<Buffer> = []
        const answer = new Answer(stream)
        stream.on("data", (piece: Buffer) => pieces.push(piece))
        stream.on("end", () => liar.answer(headers[":path"] ?? "", Buffer.concat(pieces).subarray(5), answer))
      })
      server.listen(0, "127.0.0.1", () => {
        liar.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
        resume(Effect.succeed(server))
      })
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.emit("close")
      }),
  ).pipe(Effect.as(liar))
