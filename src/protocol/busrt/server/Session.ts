/**
 * One client that has registered: its frames go to the routing core, and what the core has for it goes to its
 * connection. Plain code, from chunk to chunk.
 *
 * A chunk is decoded whole and routed frame by frame; then every recipient's bytes are written at once. The session
 * stops reading, also in the middle of a chunk, while
 * - a client that it sends to does not keep up (`Patience`),
 * - much of what it publishes waits for its commit, or
 * - the client does not take its acks.
 * Nothing is lost by that: the client finds its socket full.
 */
import * as LiveTopic from "../../../domain/LiveTopic.ts"
import * as NameMask from "../../../domain/NameMask.ts"
import {
  type LeaveReason,
  type LiveFrame,
  type Member,
  type Outlet,
  Patience,
  type RoutingCore,
  type Settle,
} from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import * as clientFrames from "../codec/clientFrames.ts"
import type { FrameDecoder } from "../codec/FrameDecoder.ts"
import { isProcessed, isRealtime } from "../codec/qos.ts"
import { ResultCode } from "../codec/results.ts"
import { codeOf } from "./outcomes.ts"
import { SendBuffer } from "./SendBuffer.ts"
import type { SessionSettings } from "./settings.ts"

type ClientFrame = clientFrames.ClientFrame
type TopicsFrame = Extract<ClientFrame, { readonly topics: ReadonlyArray<string> }>

/** A client that does not take so many acks is not read from. */
const acksMax = 16_384

const noFrames: ReadonlyArray<ClientFrame> = []

export class Session implements Outlet {
  readonly #core: RoutingCore
  readonly #connection: Connection
  readonly #decoder: FrameDecoder<ClientFrame>
  readonly #buffer: SendBuffer
  readonly #patience = new Patience()
  #member!: Member
  /** Frames that have come, and the next of them to be routed. */
  #frames = noFrames
  #next = 0
  #malformed = false
  /** How many reasons there are not to read on. */
  #holds = 0
  #owesAcks = false
  #isRouting = false
  /** Something has come since the last look. */
  #wasHeard = true
  #silentLooks = 0

  constructor(core: RoutingCore, connection: Connection, settings: SessionSettings) {
    this.#core = core
    this.#connection = connection
    this.#decoder = clientFrames.decoder(settings.frameBytesMax)
    this.#buffer = new SendBuffer(connection, settings.queueFramesMax, settings.queueBytesMax)
  }

  /** The core has registered it: from now on, chunks may come. */
  begin(member: Member): void {
    this.#member = member
  }

  onChunk(chunk: Uint8Array): void {
    this.#wasHeard = true
    const { frames, malformed } = this.#decoder.push(chunk)
    this.#malformed = malformed !== undefined
    // While it is held the connection is paused; what comes all the same waits behind what is here.
    this.#frames = this.#next < this.#frames.length ? [...this.#frames.slice(this.#next), ...frames] : frames
    this.#next = 0
    if (this.#holds === 0) this.#route()
  }

  onDrain(): void {
    this.#buffer.drained()
    if (this.#buffer.isEmpty) this.#patience.eased()
    if (this.#owesAcks && this.#buffer.acks < acksMax) {
      this.#owesAcks = false
      this.#release()
    }
  }

  /** Ends it when what was written for the client is on its way. */
  end(): void {
    this.#core.leave(this.#member, "shutdown")
  }

  // What the core calls.

  offer = (frame: LiveFrame): boolean => this.#buffer.offer(frame)

  flush = (): void => {
    this.#buffer.flush()
    if (this.#buffer.isEmpty) this.#patience.eased()
  }

  close = (reason: LeaveReason): void => {
    this.#patience.end()
    this.#frames = noFrames
    this.#buffer.drained()
    // One that does not read, or is not heard of, would not take what is left either.
    if (reason === "overflow" || reason === "silent") this.#connection.destroy()
    else this.#connection.end()
  }

  queued = (): number => this.#buffer.frames

  isCrowded = (): boolean => this.#buffer.isHalfFull && this.#patience.isLeft

  whenEased = (resume: () => void): void => {
    if (this.isCrowded()) this.#patience.wait(resume)
    else resume()
  }

  /** So much of what it publishes waits for its commit that nothing more is read of it for now. */
  readonly onHeldChange = (isHeld: boolean): void => {
    if (isHeld) this.#hold()
    else this.#release()
  }

  /** Called from time to time: keeps the connection alive, and gives up a client that was silent for so many looks. */
  look(looksMax: number, isNopDue: boolean): void {
    if (this.#wasHeard || this.#holds > 0) {
      this.#wasHeard = false
      this.#silentLooks = 0
    } else if (++this.#silentLooks >= looksMax) {
      this.#core.leave(this.#member, "silent")
      return
    }
    if (!isNopDue) return
    this.#buffer.nop()
    this.#buffer.flush()
  }

  #hold(): void {
    if (this.#holds++ === 0) this.#connection.pause()
  }

  readonly #release = (): void => {
    if (--this.#holds > 0 || !this.#member.isOpen) return
    if (!this.#isRouting) this.#route()
    if (this.#holds === 0) this.#connection.resume()
  }

  /** Routes what is there, up to a reason to wait. */
  #route(): void {
    const core = this.#core
    this.#isRouting = true
    while (this.#next < this.#frames.length) {
      this.#handle(this.#frames[this.#next++]!)
      if (core.isCrowded) {
        this.#hold()
        core.flush()
        core.waitForCrowded(this.#release)
      }
      if (this.#holds > 0) break
    }
    this.#isRouting = false
    const isDone = this.#next >= this.#frames.length
    if (isDone) this.#frames = noFrames
    core.flush()
    if (!this.#member.isOpen) return
    this.flush()
    if (this.#malformed && isDone) {
      core.leave(this.#member, "left")
    } else if (this.#buffer.acks >= acksMax && !this.#owesAcks) {
      this.#owesAcks = true
      this.#hold()
    }
  }

  #handle(frame: ClientFrame): void {
    const core = this.#core
    const member = this.#member
    switch (frame.type) {
      case "message": {
        const outcome = core.send(member, frame.target, frame.payload, true, isRealtime(frame.qos))
        if (isProcessed(frame.qos)) this.#buffer.ack(frame.opId, codeOf(outcome))
        break
      }
      case "publish":
        this.#publish(frame)
        break
      case "publishFor": {
        const { topic, receiver, payload, qos } = frame
        const code =
          LiveTopic.problem(topic) === undefined
            ? codeOf(core.publishFor(member, topic, receiver, payload, true, isRealtime(qos)))
            : ResultCode.data
        if (isProcessed(qos)) this.#buffer.ack(frame.opId, code)
        break
      }
      case "broadcast": {
        const { mask, payload, qos } = frame
        const code =
          NameMask.problem(mask) === undefined
            ? codeOf(core.broadcast(member, mask, payload, true, isRealtime(qos)))
            : ResultCode.data
        if (isProcessed(qos)) this.#buffer.ack(frame.opId, code)
        break
      }
      case "subscribe":
      case "unsubscribe":
      case "exclude":
      case "unexclude":
        this.#topics(frame)
        break
      case "invalid":
        if (isProcessed(frame.qos)) this.#buffer.ack(frame.opId, frame.code)
        break
      case "ping":
        break
    }
  }

  #publish({ topic, payload, qos, opId }: Extract<ClientFrame, { readonly type: "publish" }>): void {
    const wantsAck = isProcessed(qos)
    if (LiveTopic.problem(topic) !== undefined) {
      if (wantsAck) this.#buffer.ack(opId, ResultCode.data)
      return
    }
    const settle: Settle = (outcome, failure) => {
      if (!wantsAck || !this.#member.isOpen) return
      this.#buffer.ack(opId, codeOf(outcome, failure))
      this.#core.touch(this.#member)
      this.#core.flushSoon()
    }
    const outcome = this.#core.publish(this.#member, topic, payload, true, isRealtime(qos), settle)
    if (outcome !== undefined && wantsAck) this.#buffer.ack(opId, codeOf(outcome))
  }

  /** Each topic that is refused is said so; the last word is for the whole. */
  #topics({ type, opId, qos, topics }: TopicsFrame): void {
    const core = this.#core
    const wantsAck = isProcessed(qos)
    for (const topic of topics) {
      let code: ResultCode = ResultCode.ok
      if (type === "unsubscribe") core.unsubscribe(this.#member, topic)
      else if (type === "unexclude") core.include(this.#member, topic)
      else if (LiveTopic.filterProblem(topic) !== undefined) code = ResultCode.data
      else if (type === "subscribe") code = codeOf(core.subscribe(this.#member, topic))
      else code = codeOf(core.exclude(this.#member, topic))
      if (wantsAck && code !== ResultCode.ok) this.#buffer.ack(opId, code)
    }
    if (wantsAck) this.#buffer.ack(opId, ResultCode.ok)
  }
}
