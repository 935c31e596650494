/** `.bus` gives messages to who holds a named cursor, and looks after cursors. */
import * as Effect from "effect/Effect"
import * as NodeId from "../../domain/NodeId.ts"
import type { ConsumeError, HeldCursor } from "../../topics/index.ts"
import * as contract from "../contract/cursors.ts"
import { SessionUnknown } from "../contract/errors.ts"
import { present } from "../contract/Method.ts"
import { nodeOf } from "../contract/values.ts"
import type { Handlers, Serve } from "./handler.ts"
import { Reader } from "./Reader.ts"
import type { Sessions } from "./Sessions.ts"
import { answerOf, forkingIn, waitOf } from "./subscriptions.ts"

export interface Held {
  readonly cursor: HeldCursor
  readonly reader: Reader<ConsumeError>
}

export const cursorHandlers = (serve: Serve, sessions: Sessions<Held>): Handlers => ({
  ...serve(
    contract.hold,
    Effect.fnUntraced(function* ({ name, isConnected, topics }, params) {
      const origin = yield* nodeOf(params.origin)
      const { id, value } = yield* sessions.begin(
        name,
        isConnected,
        Effect.gen(function* () {
          const fork = yield* forkingIn
          let tellLive: Effect.Effect<void> = Effect.void
          const cursor = yield* topics.holdCursor(params.cursor, params.filter, {
            origin,
            from: params.from ?? undefined,
            takeOver: params.takeOver ?? undefined,
            resume: params.resume ?? undefined,
            onLive: Effect.suspend(() => tellLive),
          })
          const reader = new Reader<ConsumeError>((_, onLive) => {
            tellLive = onLive
            return cursor.messages
          }, fork)
          return { cursor, reader }
        }),
      )
      const { epoch, incarnation, position } = value.cursor
      return { id, epoch, incarnation, position }
    }),
  ),

  ...serve(
    contract.next,
    Effect.fnUntraced(function* ({ name }, { id, after, wait }) {
      const { cursor, reader } = yield* sessions.get(name, id)
      // What a hold gives, it gives once: who has lost an answer takes its cursor up again.
      if (!reader.isInStep(after ?? undefined)) {
        return yield* new SessionUnknown({ id, message: `an answer was lost: the cursor ${id} is to be held again` })
      }
      return answerOf(yield* Effect.raceFirst(reader.next(waitOf(wait)), cursor.lost))
    }),
  ),

  ...serve(
    contract.commit,
    Effect.fnUntraced(function* ({ name }, { id, position, settle }) {
      const { cursor } = yield* sessions.get(name, id)
      if (position !== null && position !== undefined) cursor.handled(position)
      if (settle === true) yield* cursor.settled
      return undefined
    }),
  ),

  ...serve(
    contract.watch,
    Effect.fnUntraced(function* ({ name }, { id, wait }) {
      const { cursor } = yield* sessions.get(name, id)
      yield* Effect.timeoutOption(cursor.lost, waitOf(wait))
      return undefined
    }),
  ),

  ...serve(
    contract.release,
    Effect.fnUntraced(function* ({ name }, { id }) {
      const held = yield* Effect.option(sessions.get(name, id))
      if (held._tag === "Some") {
        yield* Effect.ensuring(held.value.cursor.settled, sessions.end(name, id))
      }
      return undefined
    }),
  ),

  ...serve(contract.list, ({ topics }) =>
    Effect.map(topics.cursors, (cursors) => ({
      cursors: cursors.map(({ name, topics: filter, origin, position, lag, isHeld, movedAt }) => ({
        name,
        topics: filter,
        ...present({ origin: origin === undefined ? undefined : NodeId.format(origin) }),
        position,
        lag,
        isHeld,
        movedAt,
      })),
    })),
  ),

  ...serve(contract.reset, ({ topics }, { cursor, to }) => Effect.as(topics.resetCursor(cursor, to), undefined)),

  ...serve(contract.remove, ({ topics }, { cursor }) => Effect.as(topics.deleteCursor(cursor), undefined)),
})
