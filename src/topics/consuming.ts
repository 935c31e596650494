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
 * Handles what a held cursor gives, chunk by chunk, and ends where the handling fails, the cursor is lost or the caller
 * is interrupted: in each case after what was handled is committed.
 */
const run = <E, R>(
  holding: Effect.Effect<HeldCursor, ConsumeError, Scope.Scope>,
  handle: (held: HeldCursor, messages: Messages) => Effect.Effect<void, E, R>,
): Effect.Effect<never, ConsumeError | E, R> =>
  Effect.scoped(
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const held = yield* restore(holding)
        const handling = Stream.runForEachArray(held.messages, (messages) => handle(held, messages))
        const ended = yield* Effect.exit(restore(Effect.raceFirst(handling, held.lost)))
        const settled = yield* Effect.exit(held.settled)
        if (Exit.isSuccess(ended)) return yield* Effect.die(new Error("a cursor's messages have ended"))
        // What went wrong first comes first.
        const causes = Exit.isFailure(settled) ? Cause.combine(ended.cause, settled.cause) : ended.cause
        return yield* Effect.failCause(causes)
      }),
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
