/**
 * What goes from one client to another on the live plane. A frame is made once, however many get it.
 *
 * Its payload may be *lent*: a view of the memory in which a socket's chunk came. Who takes such a frame copies what it
 * needs before it returns, or asks for `ownPayload`, which copies once for all.
 */

export type LiveKind = "message" | "broadcast" | "publication"

export class LiveFrame {
  readonly kind: LiveKind
  readonly sender: string
  /** Of a publication; empty otherwise. */
  readonly topic: string
  /** To be sent before what else waits for company. */
  readonly isRealtime: boolean
  /** More than one client gets it, so that encoding it once is worth its memory. */
  readonly isShared: boolean
  readonly payload: Uint8Array
  #own: Uint8Array | undefined
  /** How the protocol of the first outlet that encoded it writes it; outlets of one protocol share it. */
  encoded: { readonly by: unknown; readonly bytes: Uint8Array } | undefined

  constructor(
    kind: LiveKind,
    sender: string,
    topic: string,
    payload: Uint8Array,
    isLent: boolean,
    isRealtime: boolean,
    isShared: boolean,
  ) {
    this.kind = kind
    this.sender = sender
    this.topic = topic
    this.payload = payload
    this.isRealtime = isRealtime
    this.isShared = isShared
    this.#own = isLent ? undefined : payload
    this.encoded = undefined
  }

  /** The payload in memory that stays as it is. */
  get ownPayload(): Uint8Array {
    return (this.#own ??= new Uint8Array(this.payload))
  }
}
