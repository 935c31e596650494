/**
 * `queue enqueue`, `peek`, `ack`, `reject`, `list` and `redrive`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { Queues } from "../../queues/Queues.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import { itemObject } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import { readStandardInput } from "../io/standardInput.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt } from "../NodeAt.ts"

/** The item is not the front, or there is none: nothing was done. */
class NotTheFront extends Schema.TaggedError<NotTheFront>("millrace/NotTheFront")("NotTheFront", {
  message: Schema.String,
}) {}

interface OfQueue {
  readonly queue: string
  readonly at: NodeAt
}

const withQueues = <A, E>(at: NodeAt, use: (queues: Queues["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(Queues, use), Connection.layerOfQueues(at))

/** An item's payload and a newline, or its object. */
export const printItem = (item: QueueItem, json: boolean) =>
  json ? Output.writeJson(itemObject(item)) : Output.write(Buffer.concat([item.payload, Buffer.from("\n")]))

export interface EnqueueInput extends OfQueue {
  readonly payload: Option.Option<string>
  readonly topic: Option.Option<string>
  readonly target: Option.Option<string>
  readonly headers: ReadonlyArray<string>
  readonly json: boolean
}

export const enqueue = Effect.fnUntraced(function* (input: EnqueueInput) {
  const queue = yield* Arguments.queue(input.queue)
  const topic = Option.isNone(input.topic) ? undefined : yield* Arguments.topic(input.topic.value)
  const target = yield* Arguments.origin(input.target)
  const headers = yield* Arguments.headers(input.headers)
  if (Option.isNone(input.payload) && process.stdin.isTTY) {
    return yield* new UsageError({ message: "missing argument PAYLOAD: give it, or - to read it from standard input" })
  }
  const isGiven = Option.isSome(input.payload) && input.payload.value !== "-"
  const payload = isGiven ? input.payload.value : yield* readStandardInput
  const item = yield* withQueues(input.at, (queues) => queues.enqueue(queue, payload, { topic, target, headers }))
  yield* input.json ? Output.writeJson(itemObject(item)) : Output.write(`${item.id} ${item.sequence}\n`)
})

export const peek = Effect.fnUntraced(function* (input: OfQueue & { readonly json: boolean }) {
  const queue = yield* Arguments.queue(input.queue)
  const front = yield* withQueues(input.at, (queues) => queues.peek(queue))
  if (Option.isNone(front)) {
    return yield* new NotTheFront({ message: `the queue ${JSON.stringify(queue)} is empty` })
  }
  yield* printItem(front.value, input.json)
})

const notTheFront = (queue: string, id: string): NotTheFront =>
  new NotTheFront({
    message: `${JSON.stringify(id)} is not the front of the queue ${JSON.stringify(queue)}: nothing was changed`,
  })

interface OfItem extends OfQueue {
  readonly id: string
}

export const ack = Effect.fnUntraced(function* (input: OfItem) {
  const queue = yield* Arguments.queue(input.queue)
  const accepted = yield* withQueues(input.at, (queues) => queues.ack(queue, input.id))
  if (!accepted) return yield* notTheFront(queue, input.id)
  yield* Output.write("acknowledged\n")
})

export interface RejectInput extends OfItem {
  readonly attemptsMax: Option.Option<string>
  readonly reason: Option.Option<string>
}

export const reject = Effect.fnUntraced(function* (input: RejectInput) {
  const queue = yield* Arguments.queue(input.queue)
  const attemptsMax = yield* Arguments.optionalWholeNumber("--attempts-max", input.attemptsMax, 1)
  const reason = Option.getOrUndefined(input.reason)
  const { accepted, attempts, isDead } = yield* withQueues(input.at, (queues) =>
    queues.reject(queue, input.id, { attemptsMax, reason }),
  )
  if (!accepted) return yield* notTheFront(queue, input.id)
  yield* Output.write(`rejected, attempt ${attempts}${isDead ? `: moved to ${queue}.dead` : ""}\n`)
})

export const list = Effect.fnUntraced(function* (input: { readonly at: NodeAt; readonly json: boolean }) {
  const states = yield* withQueues(input.at, (queues) => queues.queues)
  const lines = states.map((state) => (input.json ? JSON.stringify(state) : `${state.queue} ${state.depth}`))
  if (lines.length > 0) yield* Output.write(`${lines.join("\n")}\n`)
})

export const redrive = Effect.fnUntraced(function* (input: OfQueue & { readonly limit: Option.Option<string> }) {
  const queue = yield* Arguments.queue(input.queue)
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  const moved = yield* withQueues(input.at, (queues) => queues.redrive(queue, limit))
  yield* Output.write(`${moved} moved\n`)
})
