/**
 * `fetch`: messages of one log that are stored now, page by page.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type FetchOptions, Topics } from "../../topics/Topics.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import { messageLines, payloadLines } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface FetchInput {
  readonly topic: string
  readonly origin: Option.Option<string>
  readonly from: Option.Option<string>
  readonly limit: Option.Option<string>
  readonly all: boolean
  readonly at: NodeAt
  readonly json: boolean
}

const pageMessagesMax = 1000
const defaultLimit = 100

const run = Effect.fnUntraced(function* (
  topic: string,
  { origin, from, limit }: FetchOptions & { readonly from: number },
  json: boolean,
) {
  const topics = yield* Topics
  // What is stored now: without this, `--all` would never end while somebody publishes.
  const head = Option.getOrElse(yield* topics.head(topic, origin), () => 0)
  const last = limit === undefined ? head : Math.min(head, from + limit - 1)
  const progress = yield* Progress.make("fetched", { total: Math.max(0, last - from + 1) })
  let next = from
  while (next <= last) {
    const page = yield* topics.fetch(topic, { origin, from: next, limit: Math.min(pageMessagesMax, last - next + 1) })
    const final = page.at(-1)
    if (final === undefined) return
    yield* Output.write(json ? messageLines(page) : payloadLines(page))
    progress.add(page.length)
    next = final.offset + 1
  }
})

export const fetch = Effect.fnUntraced(function* (input: FetchInput) {
  const topic = yield* Arguments.topic(input.topic)
  const origin = yield* Arguments.origin(input.origin)
  const from = (yield* Arguments.optionalWholeNumber("--from", input.from, 1)) ?? 1
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  if (input.all && limit !== undefined) {
    return yield* new UsageError({ message: "--all and --limit exclude each other" })
  }
  yield* Effect.provide(
    Effect.scoped(run(topic, { origin, from, limit: input.all ? undefined : (limit ?? defaultLimit) }, input.json)),
    Connection.layer(input.at),
  )
})
