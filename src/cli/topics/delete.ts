/**
 * `delete`: drops the payloads of a range of the node's own log; their places stay.
 */
import * as Effect from "effect/Effect"
import { Topics } from "../../topics/Topics.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface DeleteInput {
  readonly topic: string
  readonly from: string
  readonly to: string
  readonly at: NodeAt
  readonly json: boolean
}

export const deleteRange = Effect.fnUntraced(function* (input: DeleteInput) {
  const topic = yield* Arguments.topic(input.topic)
  const from = yield* Arguments.wholeNumber("FROM", input.from, 1)
  const to = yield* Arguments.wholeNumber("TO", input.to, 1)
  if (from > to) {
    return yield* new UsageError({
      message: `a range goes from its first offset to its last, not from ${from} to ${to}`,
    })
  }
  const deleted = yield* Effect.provide(
    Effect.flatMap(Topics, (topics) => topics.deleteRange(topic, from, to)),
    Connection.layer(input.at),
  )
  yield* input.json ? Output.writeJson({ deleted }) : Output.write(`${deleted} deleted\n`)
})
