/**
 * `subscribe`: what is stored, then what comes, until it is interrupted or `--limit` is reached.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { type SubscribeOptions, Topics } from "../topics/Topics.ts"
import * as Arguments from "./arguments.ts"
import * as Connection from "./Connection.ts"
import { messageLines, payloadLines } from "./messageFormat.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import { UsageError } from "./UsageError.ts"

export interface SubscribeInput {
  readonly filter: string
  readonly origin: Option.Option<string>
  readonly from: Option.Option<string>
  readonly limit: Option.Option<string>
  readonly url: Option.Option<string>
  readonly json: boolean
}

const run = Effect.fnUntraced(function* (
  filter: string,
  options: SubscribeOptions,
  limit: number | undefined,
  json: boolean,
) {
  const topics = yield* Topics
  // An offset is a place in one log: without --origin, in this node's own.
  const origin =
    typeof options.from === "number" && options.origin === undefined ? (yield* topics.info).node : options.origin
  const progress = yield* Progress.make("received", limit)
  const messages = topics.subscribe(filter, { ...options, origin, onLive: Output.tell("live") })
  const format = json ? messageLines : payloadLines
  yield* Stream.runForEachArray(limit === undefined ? messages : Stream.take(messages, limit), (chunk) =>
    Effect.tap(Output.write(format(chunk)), () => Effect.sync(() => progress.add(chunk.length))),
  )
})

export const subscribe = Effect.fnUntraced(function* (input: SubscribeInput) {
  const filter = yield* Arguments.topicFilter(input.filter)
  const origin = yield* Arguments.origin(input.origin)
  const from = yield* Arguments.start(Option.getOrElse(input.from, () => "end"))
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  if (typeof from === "number" && TopicFilter.hasWildcard(filter)) {
    return yield* new UsageError({
      message: "--from takes an offset only with one topic: a filter starts at start or end",
    })
  }
  yield* Effect.provide(Effect.scoped(run(filter, { origin, from }, limit, input.json)), Connection.layer(input.url))
})
