/**
 * `cursor list`, `reset` and `delete`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as NodeId from "../../domain/NodeId.ts"
import { type CursorState, Topics } from "../../topics/Topics.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import type { NodeAt } from "../NodeAt.ts"

interface OfCursor {
  readonly name: string
  readonly at: NodeAt
}

const withTopics = <A, E>(at: NodeAt, use: (topics: Topics["Service"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(Topics, use), Connection.layer(at))

const object = ({ isHeld, lag, movedAt, name, origin, position, topics }: CursorState) => ({
  cursor: name,
  filter: topics,
  origin: origin === undefined ? undefined : NodeId.format(origin),
  position,
  lag,
  held: isHeld,
  movedAt,
})

const line = ({ isHeld, lag, name, topics }: CursorState): string =>
  `${name} ${topics} ${lag} behind${isHeld ? ", held" : ""}`

export const list = Effect.fnUntraced(function* (input: { readonly at: NodeAt; readonly json: boolean }) {
  const cursors = yield* withTopics(input.at, (topics) => topics.cursors)
  const lines = cursors.map((cursor) => (input.json ? JSON.stringify(object(cursor)) : line(cursor)))
  if (lines.length > 0) yield* Output.write(`${lines.join("\n")}\n`)
})

export const reset = Effect.fnUntraced(function* (input: OfCursor & { readonly to: Option.Option<string> }) {
  const name = yield* Arguments.cursor(input.name)
  const to = yield* Arguments.place(Option.getOrElse(input.to, () => "start"))
  yield* withTopics(input.at, (topics) => topics.resetCursor(name, to))
})

export const remove = Effect.fnUntraced(function* (input: OfCursor) {
  const name = yield* Arguments.cursor(input.name)
  yield* withTopics(input.at, (topics) => topics.deleteCursor(name))
})
