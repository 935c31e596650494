/**
 * A machine: a disk, and a node on it while it is up. It dies and comes back; its subscribers go on where they were.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { key as logKey, type LogHead, type LogId } from "../../src/domain/LogId.ts"
import { equals, key as nodeKey, type NodeId } from "../../src/domain/NodeId.ts"
import { type PeerLink, type PeerSettings, Replication } from "../../src/replication/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import { Reader, type ReaderOptions } from "../../src/testing/reader.ts"
import { Topics, TopicsSettings } from "../../src/topics/index.ts"
import { onDisk, type Power } from "./Disk.ts"
import { type Parts, tight } from "./parts.ts"
import type { DiskPlan } from "./Scenario.ts"
import type { Timeline } from "./Timeline.ts"

/** A node while it is up. */
export interface Session {
  readonly node: NodeId
  readonly scope: Scope.Closeable
  readonly power: Power
  readonly topics: Topics["Service"]
  readonly replication: Replication["Service"]
  /** Succeeds when users may write. */
  readonly isReady: Deferred.Deferred<void>
  /** Who wants to be told what moves here. */
  readonly tellers: Set<(heads: ReadonlyArray<LogHead>) => void>
}

/** What all machines of a simulation have in common. */
export interface Surroundings {
  readonly parts: Parts
  readonly timeline: Timeline
  readonly random: () => number
  readonly diskPlan: () => DiskPlan
  readonly note: (who: string, what: () => string) => void
  /** The machine is down, for whatever reason. */
  readonly died: (machine: Machine) => void
  /** Something was written to its disk. */
  readonly wrote: (machine: Machine) => void
  /** It took some of its own log from a peer, though it has lost nothing. */
  readonly tookOwn: (machine: Machine, log: LogId) => void
}

/** What a machine is called by those who ask it. */
export const peerName = (machine: string): string => `sim://${machine}`

/** What replication asks for while nobody has given other settings: soon enough, and seldom enough to simulate. */
const peerSettings: Partial<PeerSettings> = { intervalMillis: 800, backoffMillisMax: 2000, relistMillis: 3000 }

export class Machine {
  readonly number: number
  readonly name: string
  readonly node: NodeId
  readonly #around: Surroundings
  readonly #links: () => ReadonlyArray<PeerLink>
  disk = Memory.makeDisk()
  session: Session | undefined
  #power: Power | undefined
  /** Those that follow the node's topics, for as long as its disk is there. */
  readers: Array<Reader> = []
  #isOpening = false
  #opening: { readonly cancel: () => void } | undefined
  #isClosing = false
  /** Whether there is a peer that may have more of its own logs than it has, and gives them back. */
  #mayHeal = true
  #scope: Scope.Closeable | undefined
  /** Runs when the machine is down next. */
  whenDown: (() => void) | undefined
  constructor(number: number, name: string, node: NodeId, around: Surroundings, links: () => ReadonlyArray<PeerLink>) {
    this.number = number
    this.name = name
    this.node = node
    this.#around = around
    this.#links = links
  }

  /** Switches the machine on after a while, instead of when that was to be before. */
  openAfter(millis: number): void {
    this.#opening?.cancel()
    this.#opening = this.#around.timeline.after(millis, () => this.open())
  }

  /** Nobody switches it on, until somebody does. */
  stayDown(): void {
    this.#opening?.cancel()
  }

  /** Switches the machine on; nothing where it is on. */
  open(): void {
    if (this.#power !== undefined || this.#isOpening) return
    this.#isOpening = true
    const { diskPlan, parts, random, timeline } = this.#around
    const power: Power = { isOn: true, lasts: undefined, cut: () => this.#die(power) }
    this.#power = power
    const store = onDisk(parts.memory({ disk: this.disk, node: this.node }), {
      power,
      plan: diskPlan,
      random,
      wrote: (what, logs) => this.#wrote(what, logs),
    })
    const links = this.#links().map((link) => ({ ...link, settings: { ...peerSettings, ...link.settings } }))
    const topics = Layer.provide(parts.topics, Layer.succeed(TopicsSettings, tight))
    const layer = parts.replication(links).pipe(Layer.provideMerge(topics), Layer.provide(store))
    this.#mayHeal = !links.every(({ peer }) => isInStep(this.disk, this.node, peer.name))
    const scope = Scope.makeUnsafe()
    this.#scope = scope
    timeline.fork(Layer.buildWithScope(Layer.fresh(layer), scope)).addObserver((exit) => {
      this.#isOpening = false
      if (Exit.isFailure(exit)) {
        if (power.isOn) throw new Error(`${this.name} cannot be opened: ${String(exit.cause)}`)
        return
      }
      if (this.#power !== power) return
      const topics = Context.get(exit.value, Topics)
      const replication = Context.get(exit.value, Replication)
      const session: Session = {
        node: this.node,
        scope,
        power,
        topics,
        replication,
        isReady: Deferred.makeUnsafe(),
        tellers: new Set(),
      }
      this.session = session
      this.note(() => `is up, with ${this.disk.journal.length} messages`)
      this.fork(Effect.flatMap(replication.recovered, () => Deferred.succeed(session.isReady, undefined)))
      for (const reader of this.readers) this.#follow(reader)
    })
  }

  /** Something that is done at the node for as long as it is up. */
  fork(effect: Effect.Effect<unknown, unknown>): void {
    if (this.session === undefined) return
    this.#around.timeline.fork(Effect.forkIn(effect, this.session.scope, { startImmediately: true }))
  }

  /** Whether its replication says that something is wrong with a log, whoever the peer, or with this peer altogether. */
  complains(log: string, peer: string): boolean {
    const { session } = this
    if (session === undefined) return false
    const states = Effect.runSync(session.replication.states)
    const peers = Effect.runSync(session.replication.peers)
    return (
      states.some((state) => state.lastError !== undefined && logKey(state.log) === log) ||
      peers.some((state) => state.lastError !== undefined && state.peer === peerName(peer))
    )
  }

  note(what: () => string): void {
    this.#around.note(this.name, what)
  }

  subscribe(options: ReaderOptions): void {
    const reader = new Reader(options)
    this.readers.push(reader)
    this.#follow(reader)
  }

  #follow(reader: Reader): void {
    const { session } = this
    if (session !== undefined) this.fork(Effect.provideService(reader.run, Topics, session.topics))
  }

  /** It comes back on another disk; who followed it is at an end. */
  replaceDisk(disk: Memory.MemoryDisk): void {
    this.disk = disk
    this.readers = []
  }

  /** No power cut is to come any more. */
  recover(): void {
    if (this.#power !== undefined) this.#power.lasts = undefined
  }

  /** The power goes now, or at one of the next writes. */
  crash(afterWrites: number | undefined, made: boolean): void {
    if (this.#power === undefined) return
    if (afterWrites === undefined) this.#power.cut()
    else this.#power.lasts = { writes: afterWrites, made }
  }

  #die(power: Power): void {
    if (!power.isOn) return
    power.isOn = false
    this.note(() => "dies")
    this.#close()
  }

  /** Closes the node properly. */
  close(): void {
    if (this.session === undefined) return
    this.note(() => "closes")
    this.#close()
  }

  #close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    const { timeline } = this.#around
    const scope = this.#scope!
    this.session = undefined
    this.#around.died(this)
    // Not in the middle of what it is doing now.
    timeline.after(0, () => {
      timeline.fork(Scope.close(scope, Exit.void)).addObserver(() => {
        this.#power = undefined
        this.#isClosing = false
        this.note(() => "is down")
        const { whenDown } = this
        this.whenDown = undefined
        whenDown?.()
      })
    })
  }

  get isDown(): boolean {
    return this.#power === undefined
  }

  #wrote(what: string, logs: ReadonlyArray<LogId>): void {
    const heads = logs.map((log) => ({ ...log, offset: this.disk.logs.get(logKey(log))?.positions.length ?? 0 }))
    this.note(
      () => `writes (${what}) ${heads.map(({ topic, origin, offset }) => `${topic}@${origin.device} ${offset}`)}`,
    )
    this.#around.wrote(this)
    const own = what.startsWith("accept") ? logs.find(({ origin }) => equals(origin, this.node)) : undefined
    if (own !== undefined && !this.#mayHeal) this.#around.tookOwn(this, own)
    if (heads.length > 0) for (const tell of this.session?.tellers ?? []) tell(heads)
  }
}

/** Whether it is written down on a disk that the store has been in step with a peer. */
const isInStep = ({ incarnation, records }: Memory.MemoryDisk, node: NodeId, peer: string): boolean => {
  const text = records.get(nodeKey(node))?.get(`sync/peer/${peer}`)
  return text !== undefined && (JSON.parse(text) as { readonly inStepWith: string }).inStepWith === incarnation
}
