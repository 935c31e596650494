/**
 * The answers of a streaming call, taken one at a time: who takes slowly is sent no more than a few in advance.
 */
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"

/** What a call gives next: an answer, or the reason why there will be none. */
export type Next<A> = { readonly answer: A } | { readonly failure: ServiceError | undefined }

/** Takes a call's answers one by one; the call is read no further than that, apart from a few that are buffered. */
export const nextOf = <A>(call: ClientReadableStream<A>): Effect.Effect<Next<A>> => {
  let failure: ServiceError | undefined
  let hasEnded = false
  let wake: (() => void) | undefined
  const changed = (): void => wake?.()
  call.on("readable", changed)
  call.on("error", (error: ServiceError) => {
    failure = error
    hasEnded = true
    changed()
  })
  call.on("end", () => {
    // An error, where there is one, follows the end at once.
    setImmediate(() => {
      hasEnded = true
      changed()
    })
  })
  const take: Effect.Effect<Next<A>> = Effect.suspend(() => {
    const answer: A | null = call.read()
    if (answer !== null) return Effect.succeed({ answer })
    if (hasEnded) return Effect.succeed({ failure })
    return Effect.flatMap(
      Effect.callback<void>((resume) => {
        wake = () => {
          wake = undefined
          resume(Effect.void)
        }
        return Effect.sync(() => {
          wake = undefined
        })
      }),
      () => take,
    )
  })
  return take
}
