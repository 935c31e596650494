/**
 * One client's side of the protocol, over one connection after the other: what it asks is written, acks find who waits
 * for them, and what comes for it goes to its inbox. Plain code; Effect begins in `remoteClient.ts`.
 *
 * Frames that are asked for in one go of the event loop go out together. While the socket does not take more, or too
 * many acks are awaited, `isBusy` says so, and whoever sends waits.
 */
import type { ReceivedQueue } from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import { ConnectionLost } from "../../../transport/errors.ts"
import { ClientFrameWriter, topicsPerFrameMax, type TopicsOperation } from "../codec/clientFrames.ts"
import type { FrameDecoder } from "../codec/FrameDecoder.ts"
import { isProcessed, isRealtime, type Qos, Qos as qualities } from "../codec/qos.ts"
import * as serverFrames from "../codec/serverFrames.ts"
import type { ClientSettings } from "./settings.ts"

/** Gets the result of an ack; undefined where the connection is gone, and no ack will come. */
export type OnAck = (result: number | undefined) => void

/** Writes one frame. */
export type Write = (writer: ClientFrameWriter, opId: number, qos: Qos) => void

export class Link {
  readonly #settings: ClientSettings
  readonly #inbox: ReceivedQueue
  /** The inbox has no room for what has come. */
  readonly #onOverflow: () => void
  readonly #filters: Set<string> = new Set()
  readonly #exclusions: Set<string> = new Set()
  readonly #acks: Map<number, OnAck> = new Map()
  #writer = new ClientFrameWriter()
  #connection: Connection | undefined
  #decoder: FrameDecoder<serverFrames.ServerFrame> | undefined
  #opId = 0
  #isBlocked = false
  #isPaused = false
  #flushIsDue = false
  #wasHeard = true
  #silentTicks = 0
  #waiting: Array<() => void> = []
  readonly #lost: Set<() => void> = new Set()

  constructor(settings: ClientSettings, inbox: ReceivedQueue, onOverflow: () => void) {
    this.#settings = settings
    this.#inbox = inbox
    this.#onOverflow = onOverflow
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get isBusy(): boolean {
    return this.#connection === undefined || this.#isBlocked || this.#acks.size >= this.#settings.inFlightMax
  }

  /** Calls back once, when it may be that it is not busy any more. Gives how to take that back. */
  whenFree(resume: () => void): () => void {
    this.#waiting.push(resume)
    return () => {
      this.#waiting = this.#waiting.filter((one) => one !== resume)
    }
  }

  /** The name is registered on this connection: from now on it is ours. Subscribes to what was subscribed to. */
  connected(connection: Connection, rest: Uint8Array): void {
    this.#connection = connection
    this.#decoder = serverFrames.decoder(this.#settings.frameBytesMax)
    this.#writer = new ClientFrameWriter()
    this.#isBlocked = false
    this.#isPaused = false
    this.#wasHeard = true
    this.#silentTicks = 0
    this.#restore("subscribe", this.#filters)
    this.#restore("exclude", this.#exclusions)
    this.#flush()
    if (rest.byteLength > 0) this.onChunk(rest)
    this.wake()
  }

  /** Calls back whenever a connection is gone. Gives how to take that back. */
  onLost(callback: () => void): () => void {
    // Of its own, so that the same may be given twice.
    const lost = (): void => callback()
    this.#lost.add(lost)
    return () => this.#lost.delete(lost)
  }

  /** The connection is gone; who waits for an ack hears of it. */
  disconnected(): void {
    this.#connection = undefined
    const acks = [...this.#acks.values()]
    this.#acks.clear()
    for (const onAck of acks) onAck(undefined)
    for (const lost of this.#lost) lost()
    this.wake()
  }

  onChunk(chunk: Uint8Array): void {
    this.#wasHeard = true
    const { frames, malformed } = this.#decoder!.push(chunk)
    for (const frame of frames) this.#take(frame)
    this.#inbox.flush()
    if (malformed !== undefined) this.#giveUp("violation", `the server sent what is no frame: ${malformed.reason}`)
    this.#pace()
    if (!this.isBusy) this.wake()
  }

  onDrain(): void {
    this.#isBlocked = false
    this.#flush()
    if (!this.isBusy) this.wake()
  }

  /** What came has been read. */
  onRead(): void {
    this.#pace()
  }

  /** Asks for something. Only while it is connected. */
  ask(write: Write, qos: Qos, onAck: OnAck): void {
    const opId = this.#nextOpId()
    write(this.#writer, opId, qos)
    if (isProcessed(qos)) {
      this.#acks.set(opId, onAck)
      if (this.#isPaused) this.#pace()
    }
    if (isRealtime(qos)) this.#flush()
    else this.#flushSoon()
  }

  /** Remembers what the client is subscribed to, for the next connection too. */
  remember(type: TopicsOperation, filter: string): void {
    const set = type === "subscribe" || type === "unsubscribe" ? this.#filters : this.#exclusions
    if (type === "subscribe" || type === "exclude") set.add(filter)
    else set.delete(filter)
  }

  /** Called every `pingMillis`: tells the server that the client is there, and sees whether the server is. */
  tick(): void {
    if (this.#connection === undefined) return
    if (this.#wasHeard || this.#isPaused) {
      this.#wasHeard = false
      this.#silentTicks = 0
    } else if (++this.#silentTicks * this.#settings.pingMillis >= this.#settings.silenceMillisMax) {
      this.#giveUp("overdue", `nothing was heard of the server for ${this.#settings.silenceMillisMax} ms`)
      return
    }
    this.#writer.ping()
    this.#flush()
  }

  /** Sends what is left, and closes. */
  end(): void {
    this.#flush()
    this.#connection?.end()
    this.wake()
  }

  /** Whoever waits looks again. */
  wake(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  #take(frame: serverFrames.ServerFrame): void {
    switch (frame.type) {
      case "ack": {
        const onAck = this.#acks.get(frame.opId)
        if (onAck === undefined) return
        this.#acks.delete(frame.opId)
        onAck(frame.result)
        return
      }
      case "message":
      case "broadcast":
      case "publication": {
        const { type, sender, realtime, payload } = frame
        if (!this.#inbox.hasRoom(payload.byteLength)) {
          this.#onOverflow()
          return
        }
        const topic = type === "publication" ? frame.topic : ""
        this.#inbox.push({ kind: type, sender, topic, isRealtime: realtime, payload })
        return
      }
      case "nop":
        // Where timers hardly run, as in a hidden tab of a browser, these are the only signs of life in time.
        this.#writer.ping()
        this.#flushSoon()
        return
      case "invalid":
    }
  }

  /** Does not read on while much is unread, unless an ack is awaited that would come behind it. */
  #pace(): void {
    const shouldPause = this.#inbox.isHalfFull && this.#acks.size === 0
    if (shouldPause === this.#isPaused) return
    this.#isPaused = shouldPause
    if (shouldPause) this.#connection?.pause()
    else this.#connection?.resume()
  }

  #nextOpId(): number {
    this.#opId = (this.#opId + 1) >>> 0
    return this.#opId
  }

  #restore(type: TopicsOperation, filters: ReadonlySet<string>): void {
    const all = [...filters]
    for (let at = 0; at < all.length; at += topicsPerFrameMax) {
      this.#writer.topics(type, this.#nextOpId(), qualities.no, all.slice(at, at + topicsPerFrameMax))
    }
  }

  #flushSoon(): void {
    if (this.#flushIsDue) return
    this.#flushIsDue = true
    queueMicrotask(() => {
      this.#flushIsDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#connection === undefined || this.#writer.bytes === 0) return
    if (!this.#connection.write(this.#writer.finish())) this.#isBlocked = true
    else if (this.#connection.pendingBytes === 0) this.#writer.reuse()
  }

  #giveUp(reason: ConnectionLost["reason"], message: string): void {
    this.#connection?.destroy(new ConnectionLost({ reason, message }))
  }
}
