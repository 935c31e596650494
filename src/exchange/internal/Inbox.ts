/**
 * The outlet of a client in this process: what has come and is not read, bounded in frames and bytes.
 */
import { Disconnected } from "../../domain/liveErrors.ts"
import type { LiveFrame } from "../LiveFrame.ts"
import { type LeaveReason, leaveWords, type Outlet } from "../Outlet.ts"
import { Patience } from "../Patience.ts"
import { ReceivedQueue } from "../ReceivedQueue.ts"

export class Inbox implements Outlet {
  readonly #name: string
  readonly #queue: ReceivedQueue
  readonly #patience = new Patience()
  #closed: LeaveReason | undefined

  constructor(name: string, framesMax: number, bytesMax: number) {
    this.#name = name
    this.#queue = new ReceivedQueue(framesMax, bytesMax, () => this.#patience.eased())
  }

  get stream(): ReceivedQueue["stream"] {
    return this.#queue.stream
  }

  /** Why the client cannot send any more, if it cannot. */
  get disconnected(): Disconnected | undefined {
    if (this.#closed === undefined) return undefined
    const message = `the client ${this.#name} is not connected any more: ${leaveWords[this.#closed]}`
    return new Disconnected({ name: this.#name, reason: this.#closed, message })
  }

  offer = (frame: LiveFrame): boolean => {
    if (this.#closed !== undefined || !this.#queue.hasRoom(frame.payload.byteLength)) return false
    this.#queue.push({
      kind: frame.kind,
      sender: frame.sender,
      topic: frame.topic,
      isRealtime: frame.isRealtime,
      payload: frame.ownPayload,
    })
    return true
  }

  flush = (): void => this.#queue.flush()

  close = (reason: LeaveReason): void => {
    this.#closed = reason
    this.#patience.end()
    this.#queue.end(reason === "left" ? undefined : this.disconnected)
  }

  queued = (): number => this.#queue.frames

  isCrowded = (): boolean => this.#queue.isHalfFull && this.#patience.isLeft

  whenEased = (resume: () => void): void => {
    if (this.isCrowded()) this.#patience.wait(resume)
    else resume()
  }
}
