/**
 * The outlet of a client in this process: what has come and is not read, bounded in frames and bytes.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Stream from "effect/Stream"
import { Disconnected } from "../../domain/liveErrors.ts"
import type { Received } from "../Exchange.ts"
import type { LiveFrame } from "../LiveFrame.ts"
import type { LeaveReason, Outlet } from "../Outlet.ts"
import { Patience } from "../Patience.ts"

const sentences: Readonly<Record<LeaveReason, string>> = {
  left: "it left",
  overflow: "its inbox was full, for it did not read what came",
  replaced: "another client took its name by force",
  primaryGone: "its primary client is gone",
  revoked: "its access was revoked",
  silent: "nothing was heard of it for too long",
  shutdown: "the exchange is closed",
}

export class Inbox implements Outlet {
  readonly #name: string
  readonly #framesMax: number
  readonly #bytesMax: number
  #frames: Array<Received> = []
  #bytes = 0
  #reader: (() => void) | undefined
  #closed: LeaveReason | undefined
  readonly #patience = new Patience()

  constructor(name: string, framesMax: number, bytesMax: number) {
    this.#name = name
    this.#framesMax = framesMax
    this.#bytesMax = bytesMax
  }

  offer = (frame: LiveFrame): boolean => {
    const bytes = frame.payload.byteLength
    if (this.#closed !== undefined || this.#frames.length >= this.#framesMax) return false
    if (this.#bytes + bytes > this.#bytesMax) return false
    this.#bytes += bytes
    this.#frames.push({
      kind: frame.kind,
      sender: frame.sender,
      topic: frame.topic,
      isRealtime: frame.isRealtime,
      payload: frame.ownPayload,
    })
    return true
  }

  flush = (): void => {
    const reader = this.#reader
    if (reader === undefined) return
    this.#reader = undefined
    reader()
  }

  close = (reason: LeaveReason): void => {
    this.#closed = reason
    this.#patience.end()
    this.flush()
  }

  queued = (): number => this.#frames.length

  isCrowded = (): boolean =>
    (2 * this.#frames.length > this.#framesMax || 2 * this.#bytes > this.#bytesMax) && this.#patience.isLeft

  whenEased = (resume: () => void): void => this.#patience.wait(resume)

  /** Why the client cannot send any more, if it cannot. */
  get disconnected(): Disconnected | undefined {
    if (this.#closed === undefined) return undefined
    const message = `the client ${this.#name} is not connected any more: ${sentences[this.#closed]}`
    return new Disconnected({ name: this.#name, reason: this.#closed, message })
  }

  readonly #wait = Effect.callback<void>((resume) => {
    const reader = () => resume(Effect.void)
    this.#reader = reader
    return Effect.sync(() => {
      if (this.#reader === reader) this.#reader = undefined
    })
  })

  readonly #take: Effect.Effect<NonEmptyReadonlyArray<Received>, Disconnected | Cause.Done> = Effect.suspend(() => {
    if (this.#frames.length > 0) {
      const frames = this.#frames
      this.#frames = []
      this.#bytes = 0
      this.#patience.eased()
      return Effect.succeed(frames as unknown as NonEmptyReadonlyArray<Received>)
    }
    if (this.#closed === "left") return Cause.done()
    if (this.#closed !== undefined) return Effect.fail(this.disconnected!)
    return Effect.andThen(this.#wait, this.#take)
  })

  /** What comes, in chunks as they gather. */
  readonly stream: Stream.Stream<Received, Disconnected> = Stream.fromPull(Effect.succeed(this.#take))
}
