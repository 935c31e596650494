/**
 * What is with a consumer and not handled yet, in bytes: so much is sent ahead and no more. A consumer that has stopped
 * costs its node, and itself, the window and nothing more.
 */
import * as Effect from "effect/Effect"

/** Bytes that may be with a consumer before the next batch waits. */
export const windowBytes = 1024 * 1024

export class Window {
  /** Batches that are not handled, the oldest first, by the position of their last message. */
  readonly #sent: Array<{ readonly position: bigint; readonly bytes: number }> = []
  #bytes = 0
  #go: ((go: Effect.Effect<void>) => void) | undefined

  add(position: bigint, bytes: number): void {
    this.#sent.push({ position, bytes })
    this.#bytes += bytes
  }

  handled(position: bigint): void {
    while (this.#sent[0] !== undefined && this.#sent[0].position <= position) this.#bytes -= this.#sent.shift()!.bytes
    if (this.#bytes >= windowBytes) return
    // Whoever goes on may be waiting again before this returns.
    const go = this.#go
    this.#go = undefined
    go?.(Effect.void)
  }

  /** Succeeds when the next batch may be sent. One sender waits at a time. */
  readonly room: Effect.Effect<void> = Effect.suspend(() =>
    this.#bytes < windowBytes
      ? Effect.void
      : Effect.callback<void>((resume) => {
          this.#go = resume
          return Effect.sync(() => {
            this.#go = undefined
          })
        }),
  )
}
