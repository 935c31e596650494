/**
 * Frames from a client to the broker.
 *
 * `u32 op-id · u8 flags · u32 length · body`, in little-endian order. The lower six bits of the flags are the
 * operation, the upper two the quality of service. Flags of 0 are a ping, which is its header alone, whatever its
 * length says.
 *
 * A frame whose body does not say what its operation needs is given as `invalid`: the stream behind it is intact.
 */
import { FrameDecoder, type FrameLayout } from "./FrameDecoder.ts"
import { FrameWriter, nameRoom } from "./FrameWriter.ts"
import { readU32, view } from "./memory.ts"
import { nameBytesMax, nameEnd, readName } from "./names.ts"
import { ofFlags, type Qos, toFlags } from "./qos.ts"
import { ResultCode } from "./results.ts"

export const Operation = {
  publish: 0x01,
  subscribe: 0x02,
  unsubscribe: 0x03,
  exclude: 0x04,
  unexclude: 0x05,
  publishFor: 0x06,
  message: 0x12,
  broadcast: 0x13,
} as const

export type TopicsOperation = "subscribe" | "unsubscribe" | "exclude" | "unexclude"

interface Asked {
  /** Chosen by the client; an ack names it. */
  readonly opId: number
  readonly qos: Qos
}

export type ClientFrame =
  | { readonly type: "ping" }
  | (Asked & { readonly type: "publish"; readonly topic: string; readonly payload: Uint8Array })
  | (Asked & {
      readonly type: "publishFor"
      readonly topic: string
      readonly receiver: string
      readonly payload: Uint8Array
    })
  | (Asked & { readonly type: "message"; readonly target: string; readonly payload: Uint8Array })
  | (Asked & { readonly type: "broadcast"; readonly mask: string; readonly payload: Uint8Array })
  | (Asked & { readonly type: TopicsOperation; readonly topics: ReadonlyArray<string> })
  | (Asked & { readonly type: "invalid"; readonly code: ResultCode; readonly reason: string })

/** The most topics that one frame may name: a body of many short ones would take many times its length. */
export const topicsPerFrameMax = 8192

const headerBytes = 9
const flagsAt = 4
const lengthAt = 5
const operationBits = 0x3f

const ping: ClientFrame = { type: "ping" }

const invalid = (opId: number, qos: Qos, reason: string, code: ResultCode = ResultCode.data): ClientFrame => ({
  type: "invalid",
  opId,
  qos,
  code,
  reason,
})

const readTopics = (
  type: TopicsOperation,
  opId: number,
  qos: Qos,
  bytes: Uint8Array,
  begin: number,
  end: number,
): ClientFrame => {
  const topics: Array<string> = []
  for (let at = begin; at <= end;) {
    const nul = nameEnd(bytes, at, end)
    const last = nul === -1 ? end : nul
    if (last - at > nameBytesMax) return invalid(opId, qos, `a topic is at most ${nameBytesMax} bytes long`)
    const topic = readName(bytes, at, last)
    if (topic === undefined) return invalid(opId, qos, "a topic is UTF-8")
    if (topic === "") return invalid(opId, qos, "a topic must not be empty")
    if (topics.push(topic) > topicsPerFrameMax) {
      return invalid(opId, qos, `a frame names at most ${topicsPerFrameMax} topics`)
    }
    at = last + 1
  }
  return { type, opId, qos, topics }
}

const layout: FrameLayout<ClientFrame> = {
  headerBytes,
  bodyBytes: (bytes, at) => (bytes[at + flagsAt] === 0 ? 0 : readU32(bytes, at + lengthAt)),
  read: (bytes, at, end) => {
    const flags = bytes[at + flagsAt]!
    if (flags === 0) return ping
    const opId = readU32(bytes, at)
    const qos = ofFlags(flags)
    const operation = flags & operationBits
    const body = at + headerBytes
    switch (operation) {
      case Operation.subscribe:
        return readTopics("subscribe", opId, qos, bytes, body, end)
      case Operation.unsubscribe:
        return readTopics("unsubscribe", opId, qos, bytes, body, end)
      case Operation.exclude:
        return readTopics("exclude", opId, qos, bytes, body, end)
      case Operation.unexclude:
        return readTopics("unexclude", opId, qos, bytes, body, end)
      case Operation.publish:
      case Operation.publishFor:
      case Operation.message:
      case Operation.broadcast:
        break
      default:
        return invalid(opId, qos, `there is no operation 0x${operation.toString(16)}`, ResultCode.notSupported)
    }
    const nul = nameEnd(bytes, body, end)
    const name = nul === -1 ? undefined : readName(bytes, body, nul)
    if (name === undefined) return invalid(opId, qos, "a frame begins with a name in UTF-8 that ends in NUL")
    if (operation !== Operation.publishFor) {
      const payload = view(bytes, nul + 1, end)
      if (operation === Operation.message) return { type: "message", opId, qos, target: name, payload }
      if (operation === Operation.broadcast) return { type: "broadcast", opId, qos, mask: name, payload }
      return { type: "publish", opId, qos, topic: name, payload }
    }
    const second = nameEnd(bytes, nul + 1, end)
    const receiver = second === -1 ? undefined : readName(bytes, nul + 1, second)
    if (receiver === undefined) return invalid(opId, qos, "the receiver is a name in UTF-8 that ends in NUL")
    return { type: "publishFor", opId, qos, topic: name, receiver, payload: view(bytes, second + 1, end) }
  },
}

/** Decodes what one client sends after its handshake. */
export const decoder = (frameBytesMax?: number): FrameDecoder<ClientFrame> => new FrameDecoder(layout, frameBytesMax)

const nothing = new Uint8Array()

/**
 * Writes what a client sends. Where a payload has a head, as RPC has, both are written without being joined before.
 */
export class ClientFrameWriter extends FrameWriter {
  ping(): void {
    this.begin(headerBytes)
    this.#header(0, 0)
  }

  publish(opId: number, qos: Qos, topic: string, payload: Uint8Array): void {
    this.#named(opId, qos, Operation.publish, topic, nothing, payload)
  }

  publishFor(opId: number, qos: Qos, topic: string, receiver: string, payload: Uint8Array): void {
    this.begin(headerBytes + nameRoom(topic) + nameRoom(receiver) + payload.byteLength)
    this.#header(opId, toFlags(qos) | Operation.publishFor)
    this.name(topic)
    this.u8(0)
    this.name(receiver)
    this.u8(0)
    this.raw(payload)
    this.end(headerBytes, lengthAt)
  }

  message(opId: number, qos: Qos, target: string, payload: Uint8Array, head: Uint8Array = nothing): void {
    this.#named(opId, qos, Operation.message, target, head, payload)
  }

  broadcast(opId: number, qos: Qos, mask: string, payload: Uint8Array, head: Uint8Array = nothing): void {
    this.#named(opId, qos, Operation.broadcast, mask, head, payload)
  }

  /** At least one topic, at most `topicsPerFrameMax`. */
  topics(type: TopicsOperation, opId: number, qos: Qos, topics: ReadonlyArray<string>): void {
    if (topics.length === 0 || topics.length > topicsPerFrameMax) {
      throw new RangeError(`a frame names from 1 to ${topicsPerFrameMax} topics, not ${topics.length}`)
    }
    let room = headerBytes
    for (const topic of topics) room += nameRoom(topic)
    this.begin(room)
    this.#header(opId, toFlags(qos) | Operation[type])
    for (let i = 0; i < topics.length; i++) {
      if (i > 0) this.u8(0)
      this.name(topics[i]!)
    }
    this.end(headerBytes, lengthAt)
  }

  #named(opId: number, qos: Qos, operation: number, name: string, head: Uint8Array, payload: Uint8Array): void {
    this.begin(headerBytes + nameRoom(name) + head.byteLength + payload.byteLength)
    this.#header(opId, toFlags(qos) | operation)
    this.name(name)
    this.u8(0)
    this.raw(head)
    this.raw(payload)
    this.end(headerBytes, lengthAt)
  }

  #header(opId: number, flags: number): void {
    this.u32(opId)
    this.u8(flags)
    this.u32(0)
  }
}
