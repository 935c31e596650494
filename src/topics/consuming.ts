/**
 * Consuming with a named cursor: handling what comes, and moving the cursor behind it. The same wherever the topics are;
 * where they are is decided by who gives the hold.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Message } from "../domain/Message.ts"
import type { ConsumeError, HeldCursor, HoldCursor, Topics } from "./Topics.ts"

type Messages = readonly [Message, ...Array<Message>]

/**
 * Does something with a held cursor, for as long as it is held. Ends when that is done or fails, when the cursor is lost,
 * or when the caller is interrupted: in each case after what was handled is committed.
 */
export const whileHeld = <A, E, R>(
  holding: Effect.Effect<HeldCursor, ConsumeError, Scope.Scope>,
  use: (held: HeldCursor) => Effect.Effect<A, E, R>,
): Effect.Effect<A, ConsumeError | E, R> =>
  Effect.scoped(
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const held = yield* restore(holding)
        const ended = yield* Effect.exit(restore(Effect.raceFirst(use(held), held.lost)))
        const settled = yield* Effect.exit(held.settled)
        if (Exit.isSuccess(settled)) return yield* ended
        // What went wrong first comes first.
        return yield* Effect.failCause(
          Exit.isFailure(ended) ? Cause.combine(ended.cause, settled.cause) : settled.cause,
        )
      }),
    ),
  )

/** Handles what a held cursor gives, chunk by chunk. */
const run = <E, R>(
  holding: Effect.Effect<HeldCursor, ConsumeError, Scope.Scope>,
  handle: (held: HeldCursor, messages: Messages) => Effect.Effect<void, E, R>,
): Effect.Effect<never, ConsumeError | E, R> =>
  whileHeld(holding, (held) =>
    Effect.andThen(
      Stream.runForEachArray(held.messages, (messages) => handle(held, messages)),
      Effect.die(new Error("a cursor's messages have ended")),
    ),
  )

/** `Topics.consume` and `Topics.consumeChunks`, over a way to hold cursors. */
export const consumers = (hold: HoldCursor): Pick<Topics["Service"], "consume" | "consumeChunks"> => ({
  consume: (name, filter, handler, options = {}) =>
    run(hold(name, filter, options), (held, messages) =>
      Effect.forEach(messages, (message) => Effect.map(handler(message), () => held.handled(message.position)), {
        discard: true,
      }),
    ),

  consumeChunks: (name, filter, handler, options = {}) =>
    run(hold(name, filter, options), (held, messages) =>
      Effect.map(handler(messages), () => held.handled(messages[messages.length - 1]!.position)),
    ),
})
