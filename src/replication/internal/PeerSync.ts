/**
 * One pass over what a peer has: who it is, what it has, and what is missing here, log by log. A log that something
 * is wrong with holds up no other. Whatever is interrupted is begun again at the next pass, from what is stored.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Semaphore from "effect/Semaphore"
import type { OffsetConflict } from "../../domain/errors.ts"
import * as LogId from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { Replica } from "../../topics/index.ts"
import { PeerMisbehaved, PeerRefused } from "../errors.ts"
import type { Peer, PeerUnreachable } from "../Peer.ts"
import type { PeerSettings } from "../PeerSettings.ts"
import { backoffMillis } from "./backoff.ts"
import { type Between, type LocalFailure, type LogProblem, LogSync, type OnProgress } from "./LogSync.ts"
import type { Moves } from "./Moves.ts"
import type { PeerBook } from "./PeerBook.ts"
import { Stumbles } from "./Stumbles.ts"
import { logProblem, type LogPair, type Plan, plan } from "./plan.ts"

/** Why a pass was broken off. */
export type PassFailure = PeerUnreachable | PeerRefused | PeerMisbehaved | LocalFailure

/** How a pass went. */
export interface PassResult {
  /** Messages that were new. */
  readonly accepted: number
  /** Logs that could not be got. */
  readonly failed: number
  /** What is wrong with the first of them. */
  readonly problem: string | undefined
}

/** Logs that were looked at while others were being got, by their keys, and how many messages of them were new. */
interface Others {
  readonly pairs: Map<string, LogPair>
  accepted: number
}

/** So many messages of a log are got while another one is being got: more wait for their turn. */
const meanwhileMax = 10_000

/** From so many logs on, all heads are read at once. */
const headsOneByOneMax = 100

export class PeerSync {
  readonly #peer: Peer
  readonly #replica: Replica["Service"]
  readonly #settings: PeerSettings
  readonly #book: PeerBook
  readonly #logs: LogSync
  readonly #stumbles = new Stumbles()
  /** What the peer tells while something is done with it. */
  #moves: Moves | undefined
  /** One thing at a time is done with a peer. */
  readonly #lock = Semaphore.makeUnsafe(1)
  /** This node's own logs are filled from the peer until it is open. */
  readonly #healed: Latch.Latch

  constructor(peer: Peer, replica: Replica["Service"], settings: PeerSettings, book: PeerBook) {
    this.#peer = peer
    this.#replica = replica
    this.#settings = settings
    this.#book = book
    this.#logs = new LogSync(peer, replica, settings)
    const isNew = book.memory.inStepWith !== replica.incarnation
    this.#healed = Latch.makeUnsafe(settings.identity === undefined || !(settings.heals || isNew))
  }

  /** From now on what the peer tells is looked at also while a log is being got that much is missing of. */
  hear(moves: Moves): void {
    this.#moves = moves
  }

  /** Succeeds when this node's own logs are here as far as the peer has them, or are not to be filled from it. */
  get healed(): Effect.Effect<void> {
    return this.#healed.await
  }

  /** Whether `healed` has succeeded. */
  get isHealed(): boolean {
    return this.#healed.isOpen()
  }

  /** This node's own logs are filled from the peer once more. */
  healAgain(): void {
    this.#healed.closeUnsafe()
  }

  /** Gets all that is missing here. */
  readonly pass: Effect.Effect<PassResult, PassFailure> = Effect.gen({ self: this }, function* () {
    this.#book.attempted(yield* Clock.currentTimeMillis)
    yield* this.identified
    const remote = yield* this.#peer.heads
    const { logsMax } = this.#settings
    if (remote.length > logsMax) {
      const message = `the peer lists ${remote.length} logs, and at most ${logsMax} are looked at`
      return yield* new PeerMisbehaved({ reason: "too much", message })
    }
    const planned = this.#plan(yield* this.#replica.heads, remote)
    this.#book.keep(planned.listed)
    this.#stumbles.keep(planned.listed)
    const result = yield* this.#carryOut(planned, true)
    if (!this.#ownLogFails(planned)) {
      this.#book.inStep(this.#replica.incarnation)
      this.#healed.openUnsafe()
    }
    this.#book.passed(yield* Clock.currentTimeMillis)
    return result
  }).pipe((pass) => this.#alone(pass))

  /** Gets what is missing here of some logs, which the peer has told of. */
  readonly part = (moved: ReadonlyArray<LogId.LogHead>): Effect.Effect<PassResult, PassFailure> =>
    this.#alone(Effect.flatMap(this.#planned(moved), (planned) => this.#carryOut(planned, false)))

  /** What there is to do about some logs. */
  #planned(moved: ReadonlyArray<LogId.LogHead>): Effect.Effect<Plan, LocalFailure> {
    const local =
      moved.length > headsOneByOneMax
        ? this.#replica.heads
        : Effect.forEach(
            moved.filter((head) => logProblem(head) === undefined),
            (log) => Effect.map(this.#replica.head(log), (offset) => ({ ...log, offset })),
          )
    return Effect.map(local, (heads) => this.#plan(heads, moved))
  }

  /** Does something with the peer's logs while nothing else is done with them. */
  readonly withLogs = <A, E>(use: (logs: LogSync) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    this.#alone(Effect.suspend(() => use(this.#logs)))

  /** The last offset that the peer has of a log; 0 where it has nothing. */
  headOf(log: LogId.LogId): Effect.Effect<number, PeerUnreachable | PeerMisbehaved> {
    const key = LogId.key(log)
    return Effect.map(this.#peer.heads, (heads) => heads.find((head) => LogId.key(head) === key)?.offset ?? 0)
  }

  /** Succeeds where the peer is who it should be. */
  get identified(): Effect.Effect<void, PeerUnreachable | PeerRefused> {
    return Effect.flatMap(this.#peer.identity, (identity): Effect.Effect<void, PeerRefused> => {
      const who = NodeId.format(identity)
      if (NodeId.equals(identity, this.#replica.node)) {
        const message = `the peer is ${who}, as this node is: two nodes with one identity destroy each other's logs`
        return new PeerRefused({ reason: "own identity", message })
      }
      const { identity: pinned } = this.#settings
      if (pinned !== undefined && !NodeId.equals(identity, pinned)) {
        const message = `the peer is ${who}, and should be ${NodeId.format(pinned)}`
        return new PeerRefused({ reason: "other identity", message })
      }
      this.#book.identified(identity)
      return Effect.void
    })
  }

  get #heals(): boolean {
    return !this.isHealed
  }

  #alone<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const tracked = Effect.acquireUseRelease(
      Effect.sync(() => this.#book.syncing(true)),
      () => effect,
      () => Effect.sync(() => this.#book.syncing(false)),
    )
    return this.#lock.withPermit(tracked)
  }

  #plan(local: ReadonlyArray<LogId.LogHead>, remote: ReadonlyArray<LogId.LogHead>): Plan {
    return plan({
      self: this.#replica.node,
      local,
      remote,
      origins: this.#settings.origins,
      heals: this.#heals,
    })
  }

  #ownLogFails({ listed }: Plan): boolean {
    return listed.some(({ log }) => NodeId.equals(log.origin, this.#replica.node) && this.#book.isFailing(log))
  }

  /** What is only to be compared waits for a whole pass: nothing is missing. */
  #carryOut(planned: Plan, isWhole: boolean): Effect.Effect<PassResult, PassFailure> {
    return Effect.gen({ self: this }, function* () {
      const wanted = this.#stumbles.inOrder(planned.wanted)
      const others: Others = { pairs: new Map(), accepted: 0 }
      const waiting = new Set(wanted.map(({ log }) => LogId.key(log)))
      yield* this.#look(planned)
      let accepted = 0
      for (const pair of wanted) {
        const meanwhile = this.#meanwhile(waiting, others)
        accepted += yield* this.#take(pair, true, meanwhile)
        waiting.delete(LogId.key(pair.log))
      }
      if (isWhole)
        for (const pair of this.#stumbles.inOrder(planned.compared))
          if (!this.#book.isSettled(pair)) yield* this.#take(pair, false)
      const concerned = [...planned.alarms, ...wanted, ...(isWhole ? planned.compared : [])]
      if (others.pairs.size > 0) for (const { log } of concerned) others.pairs.delete(LogId.key(log))
      const failing = [...concerned, ...others.pairs.values()]
        .map(({ log }) => this.#book.log(log))
        .filter((state) => state !== undefined && state.failures > 0 && state.quarantine?.isKept !== true)
      return { accepted: accepted + others.accepted, failed: failing.length, problem: failing[0]?.lastError }
    })
  }

  /** Notes how long logs are, and what is wrong with them as the peer lists them. */
  #look({ alarms, listed }: Plan): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      for (const pair of listed) this.#book.looked(pair)
      for (const { error, ...pair } of alarms) {
        if (this.#isDue(pair, now)) this.#book.failed(pair, error.message, now)
      }
    })
  }

  /**
   * Gets what has moved of other logs meanwhile, between two batches of a log: what was published just now does not wait until
   * all that was missed is here. Logs that are waiting for their turn keep it. Notes the others.
   */
  #meanwhile(waiting: ReadonlySet<string>, noted: Others): Between {
    return Effect.gen({ self: this }, function* () {
      const told = this.#moves?.takeNow() ?? []
      const others = told.filter((head) => !waiting.has(LogId.key(head)))
      const later = told.filter((head) => waiting.has(LogId.key(head)))
      if (others.length > 0) {
        const planned = yield* this.#planned(others)
        for (const pair of [...planned.alarms, ...planned.wanted]) noted.pairs.set(LogId.key(pair.log), pair)
        yield* this.#look(planned)
        for (const pair of this.#stumbles.inOrder(planned.wanted)) {
          if (pair.remoteHead - pair.localHead <= meanwhileMax) noted.accepted += yield* this.#take(pair, true)
          else later.push({ ...pair.log, offset: pair.remoteHead })
        }
      }
      this.#moves?.giveBack(later)
    })
  }

  /** Gets a log, or compares it, if it is due; gives how many messages were new. What is wrong with it is written down. */
  #take(
    pair: LogPair,
    isWanted: boolean,
    between?: Between,
  ): Effect.Effect<number, PeerUnreachable | PeerRefused | LocalFailure> {
    return Effect.gen({ self: this }, function* () {
      if (!this.#isDue(pair, yield* Clock.currentTimeMillis)) return 0
      let hasMoved = false
      const onMoved = () => void (hasMoved = true)
      return yield* Effect.onExit(
        this.#taking(pair, isWanted ? this.#got(pair, onMoved, between) : this.#compared(pair)),
        (exit) =>
          Exit.isSuccess(exit) || hasMoved ? Effect.sync(() => this.#stumbles.clear(pair.log)) : this.#stumbled(pair),
      )
    })
  }

  /** The connection broke, and nothing of a log had come. */
  #stumbled(pair: LogPair): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      if (this.#stumbles.add(pair.log) < 2) return
      this.#book.failed(pair, "the connection to the peer was lost each time that this log was asked for", now)
    })
  }

  #taking(
    pair: LogPair,
    attempt: Effect.Effect<number, LogProblem | PeerUnreachable | PeerRefused | LocalFailure>,
  ): Effect.Effect<number, PeerUnreachable | PeerRefused | LocalFailure> {
    return Effect.gen({ self: this }, function* () {
      const got = yield* Effect.result(this.#reconsidered(pair, attempt))
      const at = yield* Clock.currentTimeMillis
      if (got._tag === "Success") {
        this.#book.succeeded(pair, pair.remoteHead, at)
        return got.success
      }
      const { failure } = got
      switch (failure._tag) {
        case "OffsetConflict":
          this.#book.failed(pair, this.#sentence(pair, failure), at, failure)
          return 0
        case "OffsetGap":
        case "PeerMisbehaved":
          this.#book.failed(pair, failure.message, at)
          return 0
        case "PeerUnreachable":
          // Where the peer is there all the same, it is this log that it does not give, and others may go better.
          yield* this.identified
          this.#book.failed(pair, failure.message, at)
          return 0
        default:
          return yield* failure
      }
    })
  }

  #got(pair: LogPair, onMoved: () => void, between: Between | undefined) {
    const onProgress: OnProgress = (localHead, accepted) => {
      onMoved()
      this.#book.progressed(pair, localHead, accepted)
    }
    return this.#logs.get(pair, onProgress, between)
  }

  #compared({ localHead, log, remoteHead }: LogPair) {
    return Effect.as(this.#logs.compare(log, Math.min(localHead, remoteHead)), 0)
  }

  /** A log whose copies differ is left as it is, until they agree where they differed. */
  #reconsidered<A, E>(
    { localHead, log, remoteHead }: LogPair,
    otherwise: Effect.Effect<A, E>,
  ): Effect.Effect<A, E | LogProblem | PeerUnreachable | LocalFailure> {
    const quarantine = this.#book.log(log)?.quarantine
    if (quarantine === undefined || quarantine.offset > Math.min(localHead, remoteHead)) return otherwise
    return Effect.andThen(this.#logs.compare(log, quarantine.offset), otherwise)
  }

  #isDue({ log }: LogPair, now: number): boolean {
    const failure = this.#book.failureOf(log)
    if (failure === undefined) return true
    const { backoffMillisMax, intervalMillis } = this.#settings
    const since = now - failure.at
    return since < 0 || since >= backoffMillis(failure.failures, intervalMillis, backoffMillisMax)
  }

  #sentence({ log }: LogPair, { message, offset }: OffsetConflict): string {
    return NodeId.equals(log.origin, this.#replica.node)
      ? `the peer has another message at offset ${offset} of this node's own log of ${log.topic}: ` +
          "another node has this identity, or one of the two stores is an old copy"
      : message
  }
}
