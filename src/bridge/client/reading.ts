/**
 * Messages of `.bus` as a stream: while one answer is being handled, the next is asked for already. So no more than two
 * answers are here at a time.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../../domain/errors.ts"
import type { Message } from "../../domain/Message.ts"
import type { Messages } from "../contract/subscriptions.ts"
import { messagesOf } from "../contract/values.ts"

export type Answer = typeof Messages.Type

/** Milliseconds that a question may wait at the node, … */
export const waitMillis = 1000
/** … and its answer take, before the node counts as silent. */
export const answerMillisMax = waitMillis + 2000

/** @param ask for the next answer; it waits for one, and may find nothing */
export const reading = <E>(
  ask: Effect.Effect<Answer, E>,
  onLive: Effect.Effect<void> | undefined,
): Effect.Effect<Stream.Stream<Message, E | InvalidArgument>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let ahead: Fiber.Fiber<Answer, E> | undefined
    let isLive = false
    const pull: Effect.Effect<readonly [Message, ...Array<Message>], E | InvalidArgument> = Effect.gen(function* () {
      while (true) {
        const { live, messages } = yield* ahead === undefined ? ask : Fiber.join(ahead)
        ahead = undefined
        if (live === true && !isLive) {
          isLive = true
          if (onLive !== undefined) yield* onLive
        }
        if (messages.length === 0) continue
        ahead = yield* Effect.forkIn(ask, scope, { startImmediately: true })
        const [first, ...others] = yield* messagesOf(messages)
        return [first!, ...others] as const
      }
    })
    return Stream.fromPull(Effect.succeed(pull))
  })
