/**
 * What has come for a client and is not read yet, and the stream by which it is read. Whoever fills it sees to its
 * bounds, in frames and bytes.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Arr from "effect/Array"
import * as Stream from "effect/Stream"
import type { Disconnected } from "../domain/liveErrors.ts"
import type { Received } from "./Exchange.ts"

export class ReceivedQueue {
  readonly #framesMax: number
  readonly #bytesMax: number
  readonly #onRead: () => void
  #frames: Array<Received> = []
  #bytes = 0
  #reader: (() => void) | undefined
  #end: Effect.Effect<never, Disconnected | Cause.Done> | undefined

  /** `onRead` is told whenever what is here has been taken. */
  constructor(framesMax: number, bytesMax: number, onRead: () => void) {
    this.#framesMax = framesMax
    this.#bytesMax = bytesMax
    this.#onRead = onRead
  }

  get frames(): number {
    return this.#frames.length
  }

  get isHalfFull(): boolean {
    return 2 * this.#frames.length > this.#framesMax || 2 * this.#bytes > this.#bytesMax
  }

  hasRoom(bytes: number): boolean {
    return this.#frames.length < this.#framesMax && this.#bytes + bytes <= this.#bytesMax
  }

  push(frame: Received): void {
    this.#frames.push(frame)
    this.#bytes += frame.payload.byteLength
  }

  /** Wakes the reader. */
  flush(): void {
    const reader = this.#reader
    if (reader === undefined || (this.#frames.length === 0 && this.#end === undefined)) return
    this.#reader = undefined
    reader()
  }

  /** Nothing more comes: the stream ends after what is here, or fails. */
  end(error: Disconnected | undefined): void {
    this.#end ??= error === undefined ? Cause.done() : Effect.fail(error)
    this.flush()
  }

  readonly #wait = Effect.callback<void>((resume) => {
    const reader = (): void => resume(Effect.void)
    this.#reader = reader
    return Effect.sync(() => {
      if (this.#reader === reader) this.#reader = undefined
    })
  })

  readonly #take: Effect.Effect<Arr.NonEmptyReadonlyArray<Received>, Disconnected | Cause.Done> = Effect.suspend(() => {
    const frames = this.#frames
    if (!Arr.isArrayNonEmpty(frames)) return this.#end ?? Effect.andThen(this.#wait, this.#take)
    this.#frames = []
    this.#bytes = 0
    this.#onRead()
    return Effect.succeed(frames)
  })

  /** What comes, in chunks as they gather. */
  readonly stream: Stream.Stream<Received, Disconnected> = Stream.fromPull(Effect.succeed(this.#take))
}
