/**
 * How `effect/rpc` goes over the live plane. Each of its messages is a notification of BUS/RT's RPC, whose payload is
 * MessagePack:
 *
 *     ["effect/rpc", session, message]
 *
 * `session` is a text that a client protocol makes up when it starts, and that the server sends back with what is meant
 * for it: so a client that was started again under its name does not get what was meant for the one before. `message` is
 * an envelope of `effect/rpc/RpcMessage` as a map, with what depends on a schema (payload, values, exit, defect) as the
 * schema's JSON.
 *
 * A client begins a request with `Request`, confirms each `Chunk` of a stream with `Ack`, and ends a request early with
 * `Interrupt`; the server ends it with `Exit`. Every server answers a client's first message with a `Pong`, which no
 * client needs to read.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { FromClientEncoded, FromServerEncoded } from "effect/rpc/RpcMessage"
import * as Schema from "effect/Schema"
import * as Payload from "../codec/payload.ts"
import * as MessagePack from "../MessagePack.ts"

const marker = "effect/rpc"

const id = Schema.Union([Schema.String, Schema.Finite])
const yes = Schema.optionalKey(Schema.Literal(true))

const FromClient = Schema.Union([
  Schema.Struct({
    _tag: Schema.tag("Request"),
    id,
    tag: Schema.String,
    payload: Schema.Unknown,
    headers: Schema.Array(Schema.mutable(Schema.Tuple([Schema.String, Schema.String]))),
    isNotification: yes,
    discard: yes,
    traceId: Schema.optionalKey(Schema.String),
    spanId: Schema.optionalKey(Schema.String),
    sampled: Schema.optionalKey(Schema.Boolean),
  }),
  Schema.Struct({ _tag: Schema.tag("Ack"), requestId: id }),
  Schema.Struct({ _tag: Schema.tag("Interrupt"), requestId: id }),
  Schema.Struct({ _tag: Schema.tag("Ping") }),
  Schema.Struct({ _tag: Schema.tag("Eof") }),
])

const FromServer = Schema.Union([
  Schema.Struct({ _tag: Schema.tag("Chunk"), requestId: id, values: Schema.NonEmptyArray(Schema.Unknown) }),
  Schema.Struct({ _tag: Schema.tag("Exit"), requestId: id, exit: Schema.Unknown }),
  Schema.Struct({ _tag: Schema.tag("Defect"), defect: Schema.Unknown }),
  Schema.Struct({ _tag: Schema.tag("Pong") }),
])

/** A payload of a direct message; throws where what is in it is nested too deep for MessagePack. */
export const encode = (session: string, message: FromClientEncoded | FromServerEncoded): Uint8Array =>
  Payload.notification(MessagePack.encode([marker, session, message]))

export interface Decoded<M> {
  readonly session: string
  readonly message: M
}

const decodeWith =
  <M>(read: (message: unknown) => Option.Option<M>) =>
  (payload: Uint8Array): Decoded<M> | undefined => {
    if (payload[0] !== Payload.PayloadKind.notification) return undefined
    const decoded = MessagePack.decode(payload.subarray(1))
    if (Result.isFailure(decoded) || !Array.isArray(decoded.success)) return undefined
    const [mark, session, message] = decoded.success as ReadonlyArray<unknown>
    if (mark !== marker || typeof session !== "string") return undefined
    return Option.match(read(message), { onNone: () => undefined, onSome: (message) => ({ session, message }) })
  }

/** What a client has sent, if it is that. */
export const fromClient: (payload: Uint8Array) => Decoded<FromClientEncoded> | undefined = decodeWith(
  Schema.decodeUnknownOption(FromClient),
)

/** What a server has sent, if it is that. */
export const fromServer: (payload: Uint8Array) => Decoded<FromServerEncoded> | undefined = decodeWith(
  // An exit is decoded by who knows the schema of its request.
  Schema.decodeUnknownOption(FromServer) as (message: unknown) => Option.Option<FromServerEncoded>,
)
