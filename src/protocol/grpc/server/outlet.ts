/**
 * The sending side of one streaming call: messages go out in order, and whoever sends waits while too many bytes are on
 * their way. A reader that has stopped reading so costs its node the outlet's room and nothing more.
 */
import * as Effect from "effect/Effect"
import { noteSpent } from "./spentBuffers.ts"

/** What an outlet needs of a gRPC call. */
interface WritableCall<A> {
  write(message: A, sent: () => void): boolean
}

/** Bytes that may be on their way to one reader before its sender waits. */
export const outletRoomBytes = 512 * 1024

export interface Outlet<A> {
  /** Sends messages in order; succeeds when all have been handed over, which waits while the reader is slow. */
  readonly send: (messages: ReadonlyArray<A>) => Effect.Effect<void>
}

/**
 * @param weigh about how many bytes a message takes
 */
export const make = <A>(call: WritableCall<A>, weigh: (message: A) => number): Outlet<A> => {
  let onWayBytes = 0
  let resume: ((go: Effect.Effect<void>) => void) | undefined

  const room = Effect.callback<void>((go) => {
    resume = go
    return Effect.sync(() => {
      resume = undefined
    })
  })

  const push = (messages: ReadonlyArray<A>, from: number): Effect.Effect<void> => {
    for (let i = from; i < messages.length; i++) {
      if (onWayBytes >= outletRoomBytes) return Effect.flatMap(room, () => push(messages, i))
      const message = messages[i]!
      const bytes = weigh(message)
      onWayBytes += bytes
      call.write(message, () => {
        onWayBytes -= bytes
        noteSpent(bytes)
        if (resume !== undefined && onWayBytes < outletRoomBytes) {
          const go = resume
          resume = undefined
          go(Effect.void)
        }
      })
    }
    return Effect.void
  }

  return { send: (messages) => Effect.suspend(() => push(messages, 0)) }
}
