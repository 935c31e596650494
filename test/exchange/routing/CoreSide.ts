/** The side of the core: its clients' buffers, its watcher, and a store for its durable topics that waits to be told. */
import type { LiveFrame } from "../../../src/exchange/LiveFrame.ts"
import { all } from "../../../src/access/Permissions.ts"
import type { Member } from "../../../src/exchange/Member.ts"
import type { LeaveReason, Outlet } from "../../../src/exchange/Outlet.ts"
import { isRefusal } from "../../../src/exchange/registration.ts"
import type { RoutingCore } from "../../../src/exchange/RoutingCore.ts"
import type { ModelClientOptions } from "../../../src/testing/exchange/ExchangeModel.ts"
import type { Program, Reaction, Request } from "./commands.ts"
import { isDurable, Side } from "./Side.ts"

/** A client's buffer. */
class TestOutlet implements Outlet {
  readonly #framesMax: number
  readonly #onRealtime: () => void
  readonly #onClose: (reason: LeaveReason) => void
  waiting: Array<LiveFrame> = []
  /** Frames that it has taken and not handed on. */
  unflushed = 0
  #last: LiveFrame | undefined

  constructor(framesMax: number, onRealtime: () => void, onClose: (reason: LeaveReason) => void) {
    this.#framesMax = framesMax
    this.#onRealtime = onRealtime
    this.#onClose = onClose
  }

  offer = (frame: LiveFrame): boolean => {
    if (this.waiting.length >= this.#framesMax) return false
    // What is lent is copied now, or never.
    void frame.ownPayload
    this.waiting.push(frame)
    this.unflushed++
    this.#last = frame
    return true
  }

  flush = (): void => {
    const last = this.#last
    this.#last = undefined
    this.unflushed = 0
    if (last?.isRealtime === true) this.#onRealtime()
  }

  /** Whether the last frame it took is realtime and has not been handed on. */
  get isLate(): boolean {
    return this.#last?.isRealtime === true
  }

  close = (reason: LeaveReason): void => this.#onClose(reason)
  queued = (): number => this.waiting.length
  isCrowded = (): boolean => 2 * this.waiting.length > this.#framesMax
  whenEased = (resume: () => void): void => resume()
}

interface Client {
  readonly member: Member
  readonly outlet: TestOutlet
}

const shown = ({ kind, sender, topic, isRealtime, ownPayload }: LiveFrame) => ({
  kind,
  sender,
  topic,
  isRealtime,
  payload: Buffer.from(ownPayload).toString(),
})

/** Stands for a socket's memory, in which the next chunk comes where the last one was. */
const chunk = Buffer.alloc(64)

export class CoreSide extends Side<Client> {
  readonly core: RoutingCore
  /** The numbers, in the order of joining, of those who have left. */
  readonly gone: Array<number> = []
  readonly #joined: Array<Member> = []
  readonly #durable: Array<(isStored: boolean) => void> = []

  constructor({ isAnnounced }: Program, core: RoutingCore) {
    super(isAnnounced)
    this.core = core
    core.watch({
      joined: (member) => {
        this.#joined.push(member)
        this.changed(member.name, member.isSecondary, undefined)
      },
      left: (member, reason) => {
        this.gone.push(this.#joined.indexOf(member))
        this.changed(member.name, member.isSecondary, reason)
      },
    })
    core.storeFirst = {
      isDurable,
      publish: ({ name }, topic, payload, isLent, isRealtime, settle) => {
        const own = isLent ? new Uint8Array(payload) : payload
        this.#durable.push((isStored) => {
          if (isStored) core.deliver(name, topic, own, false, isRealtime)
          settle(isStored ? "ok" : "notStored")
        })
      },
    }
  }

  register(name: string, options: ModelClientOptions, onClose: Reaction | undefined): string {
    const { breaks, denied = [], framesMax = Infinity, isOwn, overflow } = options
    let member: Member | undefined
    const outlet = new TestOutlet(
      framesMax,
      () => {
        // It may be given frames while it is being registered.
        if (breaks === true) this.core.leave(member ?? this.core.find(name)!, "left")
      },
      (reason) => this.closed(name, reason, onClose),
    )
    const allows = (verb: string, object: string): boolean => !denied.includes(`${verb} ${object}`)
    const grants = { ...all(name), allows }
    const registered = this.core.register(name, { outlet, kind: "internal", grants, isOwn, overflow })
    if (isRefusal(registered)) return registered.reason
    member = registered
    this.all.push({ member, outlet })
    return "ok"
  }

  settle(isStored: boolean): void {
    this.#durable.shift()?.(isStored)
  }

  flush(): void {
    this.core.flush()
    const kept = this.all.filter(({ member, outlet }) => member.isOpen && outlet.unflushed > 0)
    for (const { member } of kept) this.note("not flushed", member.name)
  }

  forceDisconnect(name: string): boolean {
    return this.core.forceDisconnect(name)
  }

  deliver(sender: string, topic: string, payload: string, isRealtime: boolean): void {
    this.core.deliver(sender, topic, Buffer.from(payload), false, isRealtime)
  }

  hasSubscribers(topic: string): boolean {
    return this.core.hasSubscribers(topic)
  }

  leave({ member }: Client): void {
    this.core.leave(member, "left")
  }

  read({ member, outlet }: Client): void {
    for (const frame of outlet.waiting) this.note(member.name, JSON.stringify(shown(frame)))
    outlet.waiting = []
  }

  subscribe = ({ member }: Client, filter: string): string => this.core.subscribe(member, filter)
  unsubscribe = ({ member }: Client, filter: string): void => this.core.unsubscribe(member, filter)
  exclude = ({ member }: Client, filter: string): string => this.core.exclude(member, filter)
  include = ({ member }: Client, filter: string): void => this.core.include(member, filter)

  send({ member }: Client, request: Request, text: string): string {
    const { isLent, isRealtime } = request
    const payload = isLent ? chunk.subarray(0, chunk.write(text)) : Buffer.from(text)
    try {
      if (request.type === "send") return this.core.send(member, request.target, payload, isLent, isRealtime)
      if (request.type === "broadcast") return this.core.broadcast(member, request.mask, payload, isLent, isRealtime)
      const { receiver, topic } = request
      if (receiver !== undefined) return this.core.publishFor(member, topic, receiver, payload, isLent, isRealtime)
      const settle = (outcome: string): void => this.note("settled", outcome)
      return String(this.core.publish(member, topic, payload, isLent, isRealtime, settle))
    } finally {
      if (isLent) chunk.fill("?")
    }
  }

  state(): ReadonlyArray<unknown> {
    const { core } = this
    for (const { member, outlet } of this.all) {
      if (member.isOpen && outlet.isLate) this.note("realtime and not flushed", member.name)
    }
    return [
      [...core.members].map(({ name }) => name),
      [core.framesIn, core.framesOut, core.dropped, core.overflows, core.isCrowded],
      ...this.all.map(({ member, outlet }) => ({
        name: member.name,
        isOpen: member.isOpen,
        counters: [member.framesIn, member.bytesIn, member.framesOut, member.bytesOut, member.dropped],
        filters: [[...member.filters].toSorted(), [...member.exclusions].toSorted()],
        waiting: outlet.waiting.map(shown),
      })),
    ]
  }
}
