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
  /** Succeeds when all that was handed over has been turned into bytes: what it was made of is needed no more. */
  readonly encoded: Effect.Effect<void>
}

/**
 * @param weigh about how many bytes a message takes
 */
export const make = <A>(call: WritableCall<A>, weigh: (message: A) => number): Outlet<A> => {
  let onWay = 0
  let onWayBytes = 0
  let waiting: { readonly until: () => boolean; readonly go: () => void } | undefined

  const hasRoom = (): boolean => onWayBytes < outletRoomBytes
  // A call writes one message at a time; the others wait, as they are, until it has been sent.
  const isEncoded = (): boolean => onWay <= 1

  const wait = (until: () => boolean): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      waiting = { until, go: () => resume(Effect.void) }
      return Effect.sync(() => {
        waiting = undefined
      })
    })

  const sent = (bytes: number): void => {
    onWay -= 1
    onWayBytes -= bytes
    noteSpent(bytes)
    if (waiting?.until() !== true) return
    const { go } = waiting
    waiting = undefined
    go()
  }

  const push = (messages: ReadonlyArray<A>, from: number): Effect.Effect<void> => {
    for (let i = from; i < messages.length; i++) {
      if (!hasRoom()) return Effect.flatMap(wait(hasRoom), () => push(messages, i))
      const message = messages[i]!
      const bytes = weigh(message)
      onWay += 1
      onWayBytes += bytes
      call.write(message, () => sent(bytes))
    }
    return Effect.void
  }

  return {
    send: (messages) => Effect.suspend(() => push(messages, 0)),
    encoded: Effect.suspend(() => (isEncoded() ? Effect.void : wait(isEncoded))),
  }
}
