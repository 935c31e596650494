/**
 * `subscribe`: what is stored, then what comes, until it is interrupted or `--limit` is reached. With `--cursor` it goes
 * on where it was: the cursor moves behind what the system has taken of the output.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Message } from "../../domain/Message.ts"
import * as TopicFilter from "../../domain/TopicFilter.ts"
import { type ConsumeOptions, type SubscribeOptions, Topics } from "../../topics/Topics.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import { whileHeld } from "../../topics/consuming.ts"
import { messageLines, payloadLines } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface SubscribeInput {
  readonly filter: string
  readonly origin: Option.Option<string>
  readonly from: Option.Option<string>
  readonly cursor: Option.Option<string>
  readonly takeOver: boolean
  readonly limit: Option.Option<string>
  readonly at: NodeAt
  readonly json: boolean
}

interface Print {
  readonly limit: number | undefined
  readonly json: boolean
}

type Messages = readonly [Message, ...Array<Message>]

/** Prints a stream of messages; `printed` is run when the system has taken those of a chunk. */
const print = Effect.fnUntraced(function* <E>(
  messages: Stream.Stream<Message, E>,
  { json, limit }: Print,
  printed: (messages: Messages) => void,
) {
  const progress = yield* Progress.make("received", { total: limit })
  const format = json ? messageLines : payloadLines
  yield* Stream.runForEachArray(limit === undefined ? messages : Stream.take(messages, limit), (chunk) =>
    Effect.map(Output.write(format(chunk)), () => {
      printed(chunk)
      progress.add(chunk.length)
    }),
  )
})

const follow = Effect.fnUntraced(function* (filter: string, options: SubscribeOptions, how: Print) {
  const topics = yield* Topics
  // An offset is a place in one log: without --origin, in this node's own.
  const origin =
    typeof options.from === "number" && options.origin === undefined ? (yield* topics.info).node : options.origin
  yield* print(topics.subscribe(filter, { ...options, origin, onLive: Output.tell("live") }), how, () => {})
})

const resume = Effect.fnUntraced(function* (cursor: string, filter: string, options: ConsumeOptions, how: Print) {
  const topics = yield* Topics
  const holding = topics.holdCursor(cursor, filter, { ...options, onLive: Output.tell("live") })
  yield* whileHeld(holding, (held) =>
    print(held.messages, how, (printed) => held.handled(printed[printed.length - 1]!.position)),
  )
})

export const subscribe = Effect.fnUntraced(function* (input: SubscribeInput) {
  const filter = yield* Arguments.topicFilter(input.filter)
  const origin = yield* Arguments.origin(input.origin)
  const cursor = Option.isNone(input.cursor) ? undefined : yield* Arguments.cursor(input.cursor.value)
  // Who comes back to a place wants all from the beginning, who looks in wants what is new.
  const from = yield* Arguments.start(Option.getOrElse(input.from, () => (cursor === undefined ? "end" : "start")))
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  if (typeof from === "number" && TopicFilter.hasWildcard(filter)) {
    return yield* new UsageError({
      message: "--from takes an offset only with one topic: a filter starts at start or end",
    })
  }
  if (input.takeOver && cursor === undefined) {
    return yield* new UsageError({ message: "--take-over goes with --cursor" })
  }
  const how = { limit, json: input.json }
  const printing =
    cursor === undefined
      ? follow(filter, { origin, from }, how)
      : resume(cursor, filter, { origin, from, takeOver: input.takeOver }, how)
  yield* Effect.provide(Effect.scoped(printing), Connection.layer(input.at))
})
