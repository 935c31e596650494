/**
 * `heads`: every log that the node has, and the offset of its last message.
 */
import * as Effect from "effect/Effect"
import * as NodeId from "../../domain/NodeId.ts"
import { Topics } from "../../topics/Topics.ts"
import * as Connection from "../Connection.ts"
import { logName } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface HeadsInput {
  readonly at: NodeAt
  readonly json: boolean
}

export const heads = Effect.fnUntraced(function* ({ at, json }: HeadsInput) {
  const list = yield* Effect.provide(
    Effect.flatMap(Topics, (topics) => topics.heads),
    Connection.layer(at),
  )
  const lines = list.map((head) =>
    json
      ? JSON.stringify({ topic: head.topic, origin: NodeId.format(head.origin), offset: head.offset })
      : `${logName(head)} ${head.offset}`,
  )
  if (lines.length > 0) yield* Output.write(`${lines.join("\n")}\n`)
})
