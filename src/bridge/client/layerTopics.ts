/**
 * The service `Topics` of a node, for a client of its exchange, with the promises that it has in process: through the
 * calls that `.bus` answers.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { InvalidArgument, OutcomeUnknown, Unavailable } from "../../domain/errors.ts"
import type { Message } from "../../domain/Message.ts"
import * as MessageDomain from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { Rpc } from "../../rpc/index.ts"
import { consumers } from "../../topics/consuming.ts"
import { type PublishDraft, type PublishError, Topics } from "../../topics/index.ts"
import { traced } from "../../topics/tracing.ts"
import * as cursors from "../contract/cursors.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/topics.ts"
import { messagesOf, nodeOf } from "../contract/values.ts"
import { BusLine, type BusOptions } from "./BusLine.ts"
import { holdCursor } from "./heldCursor.ts"
import { toBytes } from "../../domain/utf8.ts"
import { subscribe } from "./subscription.ts"

interface Prepared {
  readonly draft: typeof contract.Draft.Type
  readonly payload: Uint8Array
  readonly headers: Readonly<Record<string, string>> | undefined
}

const prepare = ({ topic, payload, headers, key }: PublishDraft): Prepared | InvalidArgument => {
  const message = MessageDomain.headersProblem(headers)
  if (message !== undefined) return new InvalidArgument({ argument: "headers", message })
  const bytes = toBytes(payload)
  return { draft: { topic, payload: bytes, headers, key }, payload: bytes, headers }
}

/** What was published, where it is now. */
const published = (
  stored: ReadonlyArray<typeof contract.Stored.Type>,
  prepared: ReadonlyArray<Prepared>,
): Effect.Effect<ReadonlyArray<Message>, Unavailable> => {
  const fields = stored.map((one, i) => ({ ...one, headers: prepared[i]!.headers, payload: prepared[i]!.payload }))
  return Effect.mapError(messagesOf(fields), ({ message }) => new Unavailable({ message }))
}

const originOf = (origin: NodeId.NodeId | undefined) =>
  present({ origin: origin === undefined ? undefined : NodeId.format(origin) })

const nodeOr = (text: string) =>
  Effect.flatMap(nodeOf(text), (node) => (node === undefined ? NodeId.parse(text) : Effect.succeed(node)))

/** The topics of the node that a client is connected to. */
export const makeTopics = (rpc: Rpc, options: BusOptions = {}): Effect.Effect<Topics["Service"]> =>
  Effect.gen(function* () {
    const line = new BusLine(rpc, options)
    const hold = holdCursor(line)

    const topics = Topics.of({
      publish: Effect.fnUntraced(function* (topic, payload, options): Effect.fn.Return<Message, PublishError> {
        const prepared = prepare({ ...options, topic, payload })
        if (prepared instanceof InvalidArgument) return yield* prepared
        const [message] = yield* published([yield* line.write(contract.publish, prepared.draft)], [prepared])
        return message!
      }),

      publishAll: Effect.fnUntraced(function* (drafts): Effect.fn.Return<ReadonlyArray<Message>, PublishError> {
        const prepared: Array<Prepared> = []
        for (const draft of drafts) {
          const one = prepare(draft)
          if (one instanceof InvalidArgument) return yield* one
          prepared.push(one)
        }
        if (prepared.length === 0) return []
        const { messages } = yield* line.write(contract.batch, { messages: prepared.map(({ draft }) => draft) })
        if (messages.length !== prepared.length) {
          return yield* new OutcomeUnknown({
            operation: "batch",
            message: "the node answered with another number of messages than were published",
          })
        }
        return yield* published(messages, prepared)
      }),

      fetch: Effect.fnUntraced(function* (topic, { from, limit, origin } = {}) {
        const params = { topic, ...originOf(origin), ...present({ from, limit }) }
        const { messages } = yield* line.read(contract.fetch, params)
        return yield* messagesOf(messages)
      }),

      head: (topic, origin) =>
        Effect.map(line.read(contract.head, { topic, ...originOf(origin) }), ({ offset }) =>
          Option.fromNullishOr(offset),
        ),

      heads: Effect.flatMap(line.read(contract.heads, undefined), ({ heads }) =>
        Effect.forEach(heads, ({ topic, origin, offset }) =>
          Effect.map(nodeOr(origin), (node) => ({ topic, origin: node, offset })),
        ),
      ),

      deleteRange: (topic, from, to) =>
        Effect.map(line.write(contract.deleteRange, { topic, from, to }), ({ deleted }) => deleted),

      subscribe: (filter, options = {}) => subscribe(line, filter, options),

      ...consumers(hold),

      holdCursor: hold,

      cursors: Effect.flatMap(line.read(cursors.list, undefined), (answer) =>
        Effect.forEach(answer.cursors, ({ origin, ...state }) =>
          Effect.map(nodeOf(origin), (node) => ({ ...state, origin: node })),
        ),
      ),

      resetCursor: (cursor, to) => Effect.asVoid(line.write(cursors.reset, { cursor, to })),

      deleteCursor: (cursor) => Effect.asVoid(line.write(cursors.remove, { cursor })),

      cursor: line.read(contract.cursor, undefined),

      info: Effect.flatMap(line.read(contract.info, undefined), ({ incarnation, node }) =>
        Effect.map(nodeOr(node), (id) => ({ node: id, incarnation })),
      ),

      check: Effect.mapError(Effect.asVoid(line.read(contract.check, undefined)), (error) =>
        error._tag === "AccessDenied" || error._tag === "InvalidArgument"
          ? new Unavailable({ message: error.message })
          : error,
      ),
    })
    return traced(topics, yield* Effect.context<never>())
  })

/** The topics of the node that a client is connected to, through its calls. */
export const layerTopics = (rpc: Rpc, options?: BusOptions): Layer.Layer<Topics> =>
  Layer.effect(Topics, makeTopics(rpc, options))
