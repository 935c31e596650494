/**
 * What has come for the client and is no RPC, and has not been read, bounded in frames and bytes. What is newest is
 * dropped where there is no room: calls must go on, whether or not anybody reads broadcasts.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Disconnected } from "../../domain/liveErrors.ts"
import type { Received } from "../../exchange/Exchange.ts"

export class OtherFrames {
  readonly #framesMax: number
  readonly #bytesMax: number
  #frames: Array<Received> = []
  #bytes = 0
  #reader: (() => void) | undefined
  #end: Effect.Effect<never, Disconnected | Cause.Done> | undefined
  dropped = 0

  constructor(framesMax: number, bytesMax: number) {
    this.#framesMax = framesMax
    this.#bytesMax = bytesMax
  }

  offer(frame: Received): void {
    const bytes = this.#bytes + frame.payload.byteLength
    if (this.#frames.length >= this.#framesMax || bytes > this.#bytesMax) {
      this.dropped++
      return
    }
    this.#bytes = bytes
    this.#frames.push(frame)
  }

  /** Lets the reader have what was offered. */
  flush(): void {
    const reader = this.#reader
    if (reader === undefined || (this.#frames.length === 0 && this.#end === undefined)) return
    this.#reader = undefined
    reader()
  }

  /** Nothing more comes: it fails with the reason, or ends where there is none. */
  end(reason: Disconnected | undefined): void {
    this.#end ??= reason === undefined ? Cause.done() : Effect.fail(reason)
    this.flush()
  }

  readonly #wait = Effect.callback<void>((resume) => {
    const reader = () => resume(Effect.void)
    this.#reader = reader
    return Effect.sync(() => {
      if (this.#reader === reader) this.#reader = undefined
    })
  })

  readonly #take: Effect.Effect<NonEmptyReadonlyArray<Received>, Disconnected | Cause.Done> = Effect.suspend(() => {
    const [first, ...rest] = this.#frames
    if (first === undefined) return this.#end ?? Effect.andThen(this.#wait, this.#take)
    this.#frames = []
    this.#bytes = 0
    return Effect.succeed([first, ...rest] as const)
  })

  /** In chunks as they gather. */
  readonly stream: Stream.Stream<Received, Disconnected> = Stream.fromPull(Effect.succeed(this.#take))
}
