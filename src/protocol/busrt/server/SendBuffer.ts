/**
 * What goes to one client: frames gather in a writer and go to the connection at a flush, all at once. While the
 * connection does not take more, they stay here, bounded in frames and bytes.
 */
import type { LiveFrame } from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import type { ResultCode } from "../codec/results.ts"
import { ServerFrameWriter } from "../codec/serverFrames.ts"

/** Frames that are encoded for several clients are marked as ours by this. */
const ourEncoding = ServerFrameWriter

/** From so many bytes on, what is written does not wait for the end of its chunk. */
const pieceBytes = 64 * 1024

/** What a frame adds to its payload and names, at most: header and separators. */
const frameOverhead = 16

/** Writes frames for several clients, from which they are copied. */
const shared = new ServerFrameWriter()

const encode = (frame: LiveFrame): Uint8Array => {
  write(shared, frame)
  return shared.finish()
}

const write = (writer: ServerFrameWriter, frame: LiveFrame): void => {
  switch (frame.kind) {
    case "message":
      writer.message(frame.sender, frame.payload, frame.isRealtime)
      break
    case "broadcast":
      writer.broadcast(frame.sender, frame.payload, frame.isRealtime)
      break
    case "publication":
      writer.publication(frame.sender, frame.topic, frame.payload, frame.isRealtime)
      break
  }
}

export class SendBuffer {
  readonly #connection: Connection
  readonly #framesMax: number
  readonly #bytesMax: number
  readonly #writer = new ServerFrameWriter()
  /** What was put aside while the connection is blocked, and how many bytes that is. */
  #pieces: Array<Uint8Array> = []
  #asideBytes = 0
  /** Frames and acks that are here; frames that the connection was given and has not been seen to pass on. */
  #frames = 0
  #acks = 0
  #handed = 0
  #isBlocked = false

  constructor(connection: Connection, framesMax: number, bytesMax: number) {
    this.#connection = connection
    this.#framesMax = framesMax
    this.#bytesMax = bytesMax
  }

  get frames(): number {
    return this.#frames + this.#handed
  }

  /** Acks that wait here. */
  get acks(): number {
    return this.#acks
  }

  /** Bytes that wait here or in the connection. */
  get bytes(): number {
    return this.#writer.bytes + this.#asideBytes + (this.#isBlocked ? this.#connection.pendingBytes : 0)
  }

  get isEmpty(): boolean {
    return !this.#isBlocked && this.#writer.bytes === 0
  }

  get isHalfFull(): boolean {
    return this.#isBlocked && (2 * this.frames > this.#framesMax || 2 * this.bytes > this.#bytesMax)
  }

  /** Takes a frame, or says that there is no room. */
  offer(frame: LiveFrame): boolean {
    if (this.#isBlocked && !this.#hasRoom(frame)) return false
    this.#frames++
    if (!frame.isShared) {
      write(this.#writer, frame)
    } else {
      if (frame.encoded?.by !== ourEncoding) frame.encoded = { by: ourEncoding, bytes: encode(frame) }
      this.#writer.append(frame.encoded.bytes)
    }
    if (this.#writer.bytes >= pieceBytes || 2 * this.#frames > this.#framesMax) this.flush()
    return true
  }

  ack(opId: number, code: ResultCode): void {
    this.#acks++
    this.#writer.ack(opId, code)
  }

  nop(): void {
    this.#writer.nop()
  }

  /** Gives the connection what has gathered, if it takes it. */
  flush(): void {
    if (this.#writer.bytes === 0) return
    if (this.#isBlocked) {
      if (this.#writer.bytes >= pieceBytes) this.#putAside()
      return
    }
    const handed = this.#frames
    this.#frames = 0
    this.#acks = 0
    if (this.#connection.write(this.#writer.finish())) {
      if (this.#connection.pendingBytes === 0) this.#writer.reuse()
      return
    }
    this.#isBlocked = true
    this.#handed = handed
  }

  /** The connection takes more. */
  drained(): void {
    this.#isBlocked = false
    this.#handed = 0
    if (this.#pieces.length === 0) {
      this.flush()
      return
    }
    this.#putAside()
    const pieces = this.#pieces
    const handed = this.#frames
    this.#pieces = []
    this.#asideBytes = 0
    this.#frames = 0
    this.#acks = 0
    for (const piece of pieces) if (!this.#connection.write(piece)) this.#isBlocked = true
    if (this.#isBlocked) this.#handed = handed
  }

  #putAside(): void {
    if (this.#writer.bytes === 0) return
    const piece = this.#writer.finish()
    this.#pieces.push(piece)
    this.#asideBytes += piece.byteLength
  }

  #hasRoom(frame: LiveFrame): boolean {
    const bytes = frame.payload.byteLength + frame.sender.length + frame.topic.length + frameOverhead
    return this.frames < this.#framesMax && this.bytes + bytes <= this.#bytesMax
  }
}
