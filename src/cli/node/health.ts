/**
 * `health`, whether a node answers and which, and `ready`, whether it can do its work now. Both end with exit code 1
 * where it does not.
 */
import * as Effect from "effect/Effect"
import * as NodeId from "../../domain/NodeId.ts"
import { Topics } from "../../topics/Topics.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface HealthInput {
  readonly at: NodeAt
  readonly json: boolean
}

export const health = Effect.fnUntraced(function* ({ at, json }: HealthInput) {
  const { node, incarnation } = yield* Effect.provide(
    Effect.flatMap(Topics, (topics) => topics.info),
    Connection.layer(at),
  )
  const name = NodeId.format(node)
  yield* json ? Output.writeJson({ status: "SERVING", node: name, incarnation }) : Output.write(`SERVING ${name}\n`)
})

export const ready = Effect.fnUntraced(function* ({ at, json }: HealthInput) {
  const name = yield* Effect.provide(
    Effect.flatMap(Topics, (topics) =>
      Effect.andThen(
        topics.check,
        Effect.map(topics.info, ({ node }) => NodeId.format(node)),
      ),
    ),
    Connection.layer(at),
  )
  yield* json ? Output.writeJson({ ready: true, status: "READY", node: name }) : Output.write(`READY ${name}\n`)
})
