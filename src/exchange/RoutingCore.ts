/**
 * The routing core of the live plane: who is connected, under which name and filters, and where a frame goes. Plain
 * synchronous code, the same for clients in this process and on sockets.
 *
 * 1. A name belongs to one client at a time. A secondary, `NAME%%SUFFIX`, is there only while its primary is.
 * 2. A client gets one copy of a frame, however many of its filters match; the sender gets its own where they do.
 * 3. What one client sends comes to another in the order of sending, per topic; frames that wait for the commit of a
 *    durable topic may be overtaken by others.
 * 4. An outcome of `ok` means: every recipient's outlet has taken the frame, or has refused it by its policy.
 * 5. Whatever is asked is checked against the client's grants, here and nowhere else.
 *
 * Outlets take frames at once and hand them on at `flush`, so that a chunk of frames costs a recipient one write. Who
 * drives the core calls `flush` after each chunk, and looks at `isCrowded` after each frame.
 */
import { maySubscribe } from "./departures.ts"
import { Routes } from "./internal/Routes.ts"
import { LiveFrame } from "./LiveFrame.ts"
import { Member, type MemberOptions } from "./Member.ts"
import type { LeaveReason, Outlet } from "./Outlet.ts"
import { type Refusal, registerProblem } from "./registration.ts"
import type { Settle, StoreFirst } from "./StoreFirst.ts"
import { defaultUnsettledSettings, Unsettled, type UnsettledSettings } from "./Unsettled.ts"

/** What became of what a client asked for. */
export type Outcome =
  | "ok"
  /** There is no client of that name. */
  | "notRegistered"
  /** The recipient's buffer is full. */
  | "notDelivered"
  | "denied"
  /** It has too many subscriptions. */
  | "tooMany"
  /** The store of a durable topic did not take it, or did not say. */
  | "notStored"

/**
 * Hears of clients that come and go, in that order, each change when it is complete. What it does then may change more,
 * of which it hears next. Must not throw, nor wait.
 */
export interface Watcher {
  readonly joined: (member: Member) => void
  readonly left: (member: Member, reason: LeaveReason) => void
  /** A client has a filter more or, perhaps because it has left, less. Told at once. */
  readonly filtered?: ((filter: string, isMore: boolean) => void) | undefined
}

export interface RoutingSettings extends UnsettledSettings {
  /** Filters and exclusions of one client together. */
  readonly subscriptionsMax: number
  /** A name that is taken goes to who asks last, primaries only. */
  readonly forceRegister: boolean
}

export const defaultRoutingSettings: RoutingSettings = {
  subscriptionsMax: 65_536,
  forceRegister: false,
  ...defaultUnsettledSettings,
}

/** That a client has joined, or has left for a reason: to be told when what goes on is over. */
interface Change {
  readonly member: Member
  readonly left: LeaveReason | undefined
}

export class RoutingCore {
  readonly #settings: RoutingSettings
  readonly #members: Map<string, Member> = new Map()
  readonly #routes: Routes
  #touched: Array<Member> = []
  #flushIsDue = false
  readonly #crowded: Set<Outlet> = new Set()
  #isFanningOut = false
  /** Who left in the middle of a fan-out, which goes on over those who were there when it began. */
  #leaving: Array<Change> = []
  #changes: Array<Change> = []
  #isTelling = false
  readonly #watchers: Set<Watcher> = new Set()
  /** Set by the bridge, where topics are durable. */
  storeFirst: StoreFirst | undefined
  /** Of all clients that were ever connected. */
  framesIn = 0
  bytesIn = 0
  framesOut = 0
  bytesOut = 0
  dropped = 0
  overflows = 0
  /** What waits for its commit: the bridge's to note. */
  readonly unsettled: Unsettled

  constructor(settings: Partial<RoutingSettings> = {}) {
    this.#settings = { ...defaultRoutingSettings, ...settings }
    this.unsettled = new Unsettled(this.#settings)
    this.#routes = new Routes(this.#members, this.#settings.subscriptionsMax, (filter, isMore) => {
      for (const watcher of this.#watchers) watcher.filtered?.(filter, isMore)
    })
  }

  get members(): Iterable<Member> {
    return this.#members.values()
  }

  get size(): number {
    return this.#members.size
  }

  /** Filters that are registered, of all clients together. */
  get subscriptions(): number {
    let count = 0
    for (const member of this.#members.values()) count += member.filters.size
    return count
  }

  find(name: string): Member | undefined {
    return this.#members.get(name)
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** Registers a client, or says why not. Names of the bus itself are for clients that are part of it (`isOwn`). */
  register(name: string, options: MemberOptions & { readonly isOwn?: boolean | undefined }): Member | Refusal {
    const holder = this.#members.get(name)
    const problem = registerProblem(name, options.isOwn === true, holder, (primary) => this.#members.has(primary))
    const isReplacing =
      problem?.reason === "taken" && this.#settings.forceRegister && !holder!.isSecondary && holder!.name[0] !== "."
    if (problem !== undefined && !isReplacing) return problem
    if (isReplacing) this.#takeOut(holder!, "replaced")
    const member = new Member(name, options)
    this.#members.set(name, member)
    if (member.isSecondary) this.#members.get(member.primaryName)!.secondaries.add(member)
    this.#routes.joined()
    this.#changes.push({ member, left: undefined })
    this.#tell()
    return member
  }

  /**
   * Takes a client out, and its secondaries with it, and closes its outlet. Once; later calls do nothing. A frame that
   * is on its way to many still goes to all the others who were there.
   */
  leave(member: Member, reason: LeaveReason): void {
    if (!member.isOpen) return
    member.isOpen = false
    if (this.#isFanningOut) {
      this.#leaving.push({ member, left: reason })
      return
    }
    this.#takeOut(member, reason)
    this.#tell()
  }

  /** Disconnects whoever has the name, with its secondaries. Whether there was one. */
  forceDisconnect(name: string): boolean {
    const member = this.#members.get(name)
    if (member === undefined) return false
    this.leave(member, "revoked")
    return true
  }

  /** Subscribes, and is `denied` or `tooMany` where it cannot. The filter obeys the rules of `LiveTopic`. */
  subscribe(member: Member, filter: string): Outcome {
    if (!maySubscribe(member.grants, filter)) return "denied"
    return !member.isOpen || this.#routes.subscribe(member, filter) ? "ok" : "tooMany"
  }

  unsubscribe(member: Member, filter: string): void {
    this.#routes.unsubscribe(member, filter)
  }

  /** From now on no publication on these topics, whatever the subscriptions. */
  exclude(member: Member, filter: string): Outcome {
    return !member.isOpen || this.#routes.exclude(member, filter) ? "ok" : "tooMany"
  }

  include(member: Member, filter: string): void {
    this.#routes.include(member, filter)
  }

  /** A message for one client, by its whole name. */
  send(from: Member, target: string, payload: Uint8Array, isLent: boolean, isRealtime: boolean): Outcome {
    if (!this.#admits(from, "send", target, payload)) return "denied"
    const member = this.#members.get(target)
    if (member === undefined) return "notRegistered"
    const frame = new LiveFrame("message", from.name, "", payload, isLent, isRealtime, false)
    return this.#offer(member, frame) ? "ok" : "notDelivered"
  }

  /** A message for every client whose name matches. */
  broadcast(from: Member, mask: string, payload: Uint8Array, isLent: boolean, isRealtime: boolean): Outcome {
    if (!this.#admits(from, "broadcast", mask, payload)) return "denied"
    const to = this.#routes.byMask(mask)
    this.#fanOut(to, new LiveFrame("broadcast", from.name, "", payload, isLent, isRealtime, to.length > 1))
    return "ok"
  }

  /**
   * A publication for every subscriber. Undefined where the topic is durable: `settle` is then called after the commit,
   * and the bridge delivers it.
   */
  publish(
    from: Member,
    topic: string,
    payload: Uint8Array,
    isLent: boolean,
    isRealtime: boolean,
    settle: Settle,
  ): Outcome | undefined {
    if (!this.#admits(from, "publish", topic, payload)) return "denied"
    if (this.storeFirst?.isDurable(topic) === true) {
      this.storeFirst.publish(from, topic, payload, isLent, isRealtime, settle)
      return undefined
    }
    this.deliver(from.name, topic, payload, isLent, isRealtime)
    return "ok"
  }

  /** A publication for those subscribers that have this primary name. Never stored. */
  publishFor(
    from: Member,
    topic: string,
    receiver: string,
    payload: Uint8Array,
    isLent: boolean,
    isRealtime: boolean,
  ): Outcome {
    if (!this.#admits(from, "publish", topic, payload)) return "denied"
    const to = this.#routes.byTopic(topic).filter((member) => member.primaryName === receiver)
    this.#fanOut(to, new LiveFrame("publication", from.name, topic, payload, isLent, isRealtime, to.length > 1))
    return "ok"
  }

  /** Gives a publication to its subscribers, in the name of `sender`, with no question asked: it has been accepted. */
  deliver(sender: string, topic: string, payload: Uint8Array, isLent: boolean, isRealtime: boolean): void {
    const to = this.#routes.byTopic(topic)
    if (to.length === 0) return
    this.#fanOut(to, new LiveFrame("publication", sender, topic, payload, isLent, isRealtime, to.length > 1))
  }

  /** Whether anybody would get a publication on the topic. */
  hasSubscribers(topic: string): boolean {
    return this.#routes.byTopic(topic).length > 0
  }

  /** Hands on what outlets have taken. */
  flush(): void {
    const touched = this.#touched
    if (touched.length === 0) return
    this.#touched = []
    for (let i = 0; i < touched.length; i++) {
      const member = touched[i]!
      member.isTouched = false
      if (member.isOpen) member.outlet.flush()
    }
    // Whoever left meanwhile may have been told of.
    if (this.#touched.length > 0) this.flushSoon()
  }

  /** Flushes when what runs now has ended: for senders in this process, that have no chunk. */
  flushSoon(): void {
    if (this.#flushIsDue) return
    this.#flushIsDue = true
    queueMicrotask(() => {
      this.#flushIsDue = false
      this.flush()
    })
  }

  /** Sees to it that an outlet is flushed that has taken something otherwise than from the core, as an ack. */
  touch(member: Member): void {
    if (member.isTouched || !member.isOpen) return
    member.isTouched = true
    this.#touched.push(member)
  }

  /** Whether a recipient of what was just sent does not keep up. The sender should `waitForCrowded` before it goes on. */
  get isCrowded(): boolean {
    return this.#crowded.size > 0
  }

  /** Calls back once, when all recipients that do not keep up have eased. */
  waitForCrowded(resume: () => void): void {
    const crowded = [...this.#crowded]
    this.#crowded.clear()
    let left = crowded.length
    if (left === 0) resume()
    for (const outlet of crowded) {
      outlet.whenEased(() => {
        if (--left === 0) resume()
      })
    }
  }

  /** Disconnects everybody. */
  close(): void {
    for (const member of this.#members.values()) this.leave(member, "shutdown")
  }

  /** Whether nothing is left of those who were connected: what a leak would show in. */
  get isEmpty(): boolean {
    return this.#members.size + this.#changes.length + this.#crowded.size === 0 && this.#routes.isEmpty
  }

  /** Counts what comes from a client, and tells whether it may go on. Who has left sends nothing more. */
  #admits(from: Member, verb: "send" | "broadcast" | "publish", object: string, payload: Uint8Array): boolean {
    if (this.#crowded.size > 0) this.#crowded.clear()
    from.framesIn++
    from.bytesIn += payload.byteLength
    this.framesIn++
    this.bytesIn += payload.byteLength
    return from.isOpen && from.grants.allows(verb, object)
  }

  /** Nothing leads to the client any more, nor to its secondaries. It is told of later. */
  #takeOut(member: Member, reason: LeaveReason): void {
    member.isOpen = false
    this.#members.delete(member.name)
    if (member.isSecondary) this.#members.get(member.primaryName)?.secondaries.delete(member)
    this.#routes.left(member)
    this.#crowded.delete(member.outlet)
    for (const secondary of member.secondaries) if (secondary.isOpen) this.#takeOut(secondary, "primaryGone")
    this.#changes.push({ member, left: reason })
  }

  /** Tells what has changed, in order. What is done meanwhile changes more, which is told after it. */
  #tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    for (let change = this.#changes.shift(); change !== undefined; change = this.#changes.shift()) {
      const { member, left } = change
      if (left !== undefined) member.outlet.close(left)
      for (const watcher of this.#watchers) {
        if (left === undefined) watcher.joined(member)
        else watcher.left(member, left)
      }
    }
    this.#isTelling = false
  }

  #offer(member: Member, frame: LiveFrame): boolean {
    if (!member.isOpen) return false
    if (!member.outlet.offer(frame)) {
      this.#overflow(member)
      return false
    }
    const bytes = frame.payload.byteLength
    member.framesOut++
    member.bytesOut += bytes
    this.framesOut++
    this.bytesOut += bytes
    if (frame.isRealtime) member.outlet.flush()
    else this.touch(member)
    if (member.isOpen && member.outlet.isCrowded()) this.#crowded.add(member.outlet)
    return true
  }

  #overflow(member: Member): void {
    member.dropped++
    this.dropped++
    if (member.overflow === "dropNewest") return
    this.overflows++
    this.leave(member, "overflow")
  }

  #fanOut(to: ReadonlyArray<Member>, frame: LiveFrame): void {
    this.#isFanningOut = true
    for (let i = 0; i < to.length; i++) this.#offer(to[i]!, frame)
    this.#isFanningOut = false
    if (this.#leaving.length > 0) this.#endLeaving()
  }

  #endLeaving(): void {
    const leaving = this.#leaving
    this.#leaving = []
    for (const { member, left } of leaving) this.#takeOut(member, left!)
    this.#tell()
  }
}
