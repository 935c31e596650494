/**
 * What is known of a peer and of each of its logs. Plain code: it is kept in memory, and what changes of it is collected, to
 * be saved now and then. What is lost of it costs a comparison, and no message: what there is to do is told from the logs.
 */
import type { OffsetConflict } from "../../domain/errors.ts"
import * as LogId from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { PeerState } from "../PeerState.ts"
import type { SyncState } from "../SyncState.ts"
import { nothing, type PeerMemory } from "./PeerMemory.ts"
import type { LogPair } from "./plan.ts"

/** What has to be saved: of the peer, and of its logs; undefined for those that are forgotten. */
export interface BookChanges {
  readonly peer: PeerMemory | undefined
  readonly logs: ReadonlyArray<{ readonly log: LogId.LogId; readonly state: SyncState | undefined }>
}

export class PeerBook {
  readonly peer: string
  #memory: PeerMemory = nothing
  readonly #logs: Map<string, SyncState> = new Map()
  /** The peer's own logs that were compared since the connection was made. */
  readonly #comparedOwn: Set<string> = new Set()
  #isMemoryChanged = false
  readonly #changed: Map<string, LogId.LogId> = new Map()
  /** Logs that have failed since the node was started, and not succeeded since. */
  readonly #failed: Set<string> = new Set()
  #lastAttemptAt = 0
  #isIdentified = false
  #isTelling = false
  #syncing = 0
  #accepted = 0
  /** Called when there is something to be saved that was not. */
  readonly #onChange: () => void

  constructor(peer: string, onChange: () => void = () => {}) {
    this.peer = peer
    this.#onChange = onChange
  }

  get memory(): PeerMemory {
    return this.#memory
  }

  /** As it was saved. */
  restore(memory: PeerMemory | undefined, logs: ReadonlyArray<SyncState>): void {
    if (memory !== undefined) this.#memory = memory
    for (const state of logs) this.#logs.set(LogId.key(state.log), state)
  }

  logs(): ReadonlyArray<SyncState> {
    const { lastSuccessAt } = this.#memory
    // A log that nothing has to be done about is looked at with all others, and not written down each time.
    return [...this.#logs.values()].map((state) =>
      state.failures > 0 || state.localHead < state.remoteHead || state.lastSuccessAt > lastSuccessAt
        ? state
        : { ...state, lastAttemptAt: lastSuccessAt, lastSuccessAt },
    )
  }

  log(log: LogId.LogId): SyncState | undefined {
    return this.#logs.get(LogId.key(log))
  }

  state(): PeerState {
    let [behind, logsFailing, logsQuarantined] = [0, 0, 0]
    for (const { failures, localHead, quarantine, remoteHead } of this.#logs.values()) {
      if (quarantine?.isKept === true) continue
      behind += Math.max(0, remoteHead - localHead)
      if (failures > 0) logsFailing++
      if (quarantine !== undefined) logsQuarantined++
    }
    const { failingSince, failures, identity, isRefused, lastError, lastSuccessAt } = this.#memory
    return {
      peer: this.peer,
      identity,
      failures,
      failingSince,
      lastError,
      isRefused,
      lastSuccessAt,
      isTelling: this.#isTelling,
      isSyncing: this.#syncing > 0,
      lastAttemptAt: Math.max(this.#lastAttemptAt, lastSuccessAt),
      logs: this.#logs.size,
      logsFailing,
      logsQuarantined,
      behind,
      accepted: this.#accepted,
    }
  }

  /** It tells by itself what moves, or does so no more. */
  telling(isTelling: boolean): void {
    this.#isTelling = isTelling
  }

  get isTelling(): boolean {
    return this.#isTelling
  }

  /** Something is being got from it, or is done. */
  syncing(isSyncing: boolean): void {
    this.#syncing += isSyncing ? 1 : -1
  }

  attempted(at: number): void {
    this.#lastAttemptAt = at
  }

  identified(identity: NodeId.NodeId): void {
    this.#isIdentified = true
    const known = this.#memory.identity
    if (known === undefined || !NodeId.equals(known, identity)) {
      this.#remember({ identity }, true)
    }
  }

  /** A pass came to its end. */
  passed(at: number): void {
    const isNews = this.#memory.failures > 0
    this.#remember({ lastSuccessAt: at, failures: 0, failingSince: 0, lastError: undefined, isRefused: false }, isNews)
  }

  /** A pass was broken off. */
  broke(message: string, at: number, isRefused = false): void {
    const { failingSince, failures, lastError } = this.#memory
    this.#remember(
      { failures: failures + 1, failingSince: failures === 0 ? at : failingSince, lastError: message, isRefused },
      failures === 0 || lastError !== message,
    )
  }

  /** This store's own logs are here as far as the peer has them. */
  inStep(incarnation: string): void {
    if (this.#memory.inStepWith !== incarnation) this.#remember({ inStepWith: incarnation }, true)
  }

  /** Forgets the logs that the peer does not list any more: it could list others for ever. */
  keep(listed: ReadonlyArray<LogPair>): void {
    if (this.#logs.size === 0) return
    const kept = new Set(listed.map(({ log }) => LogId.key(log)))
    for (const [key, { log }] of this.#logs) {
      if (kept.has(key)) continue
      this.#logs.delete(key)
      this.#failed.delete(key)
      this.#comparedOwn.delete(key)
      this.#note(log)
    }
  }

  /**
   * A connection was made. The peer may have been started again meanwhile, on an old copy of its store, and have written
   * other messages up to where it was: its own logs are compared anew.
   */
  connected(): void {
    this.#isIdentified = false
    this.#comparedOwn.clear()
  }

  /** Whether the peer has said who it is since the connection was made. */
  get isIdentified(): boolean {
    return this.#isIdentified
  }

  /** Whether a log has been compared up to the head that the peer has now, and nothing was wrong. */
  isSettled({ log, remoteHead }: LogPair): boolean {
    const state = this.log(log)
    if (state === undefined || state.failures > 0 || state.syncedHead !== remoteHead) return false
    return !this.#isPeersOwn(log) || this.#comparedOwn.has(LogId.key(log))
  }

  isFailing(log: LogId.LogId): boolean {
    return (this.log(log)?.failures ?? 0) > 0
  }

  /**
   * When the last attempt at a log failed, and how often it has; undefined where it did not, or where that was before the node
   * was started: then it is tried at once, for that may be what it was started for.
   */
  failureOf(log: LogId.LogId): { readonly at: number; readonly failures: number } | undefined {
    const state = this.log(log)
    return state === undefined || state.failures === 0 || !this.#failed.has(LogId.key(log))
      ? undefined
      : { at: state.lastAttemptAt, failures: state.failures }
  }

  /** Where the heads of a log are, with nothing done about it. */
  looked(pair: LogPair): void {
    const before = this.log(pair.log)
    if (before?.localHead === pair.localHead && before.remoteHead === pair.remoteHead) return
    const rest = this.#restOf(before)
    // Where the peer's copy has become shorter, what was compared of it may be there no more.
    const isShorter = pair.remoteHead < rest.syncedHead
    // The rest is told from the logs after a start, and so not saved.
    this.#set(pair, isShorter ? { ...rest, syncedHead: 0 } : rest, isShorter)
  }

  /** So many more messages of a log are here, up to an offset. */
  progressed({ log, remoteHead }: LogPair, localHead: number, accepted: number): void {
    this.#accepted += accepted
    this.#set({ log, localHead, remoteHead }, this.#restOf(this.log(log)), false)
  }

  succeeded(pair: LogPair, syncedHead: number, at: number): void {
    const localHead = Math.max(pair.localHead, syncedHead)
    this.#failed.delete(LogId.key(pair.log))
    const done = { syncedHead, lastAttemptAt: at, lastSuccessAt: at, failures: 0 }
    this.#set({ ...pair, localHead }, { ...done, lastError: undefined, quarantine: undefined }, true)
    if (this.#isPeersOwn(pair.log)) this.#comparedOwn.add(LogId.key(pair.log))
  }

  failed(pair: LogPair, message: string, at: number, conflict?: OffsetConflict): void {
    const rest = this.#restOf(this.log(pair.log))
    const { quarantine } = rest
    this.#failed.add(LogId.key(pair.log))
    this.#set(
      pair,
      {
        ...rest,
        lastAttemptAt: at,
        failures: rest.failures + 1,
        lastError: message,
        quarantine:
          conflict === undefined || quarantine?.offset === conflict.offset
            ? quarantine
            : { offset: conflict.offset, since: at, isKept: false },
      },
      true,
    )
  }

  /** Somebody has decided that what is here is right. */
  keepLocal(log: LogId.LogId): void {
    const state = this.log(log)
    if (state?.quarantine === undefined) return
    this.#set(state, { ...this.#restOf(state), quarantine: { ...state.quarantine, isKept: true } }, true)
  }

  /** What is here is not what it was: it is compared anew. */
  recompare(log: LogId.LogId): void {
    const state = this.log(log)
    if (state !== undefined) this.#set(state, { ...this.#restOf(state), syncedHead: 0 }, true)
  }

  /** What has changed since it was asked last; undefined where nothing has. */
  takeChanges(): BookChanges | undefined {
    if (!this.#isMemoryChanged && this.#changed.size === 0) return undefined
    const changes = {
      peer: this.#isMemoryChanged ? this.#memory : undefined,
      logs: [...this.#changed].map(([key, log]) => ({ log, state: this.#logs.get(key) })),
    }
    this.#isMemoryChanged = false
    this.#changed.clear()
    return changes
  }

  /** Changes that could not be saved: they are to be, later. */
  putBack({ logs, peer }: BookChanges): void {
    if (peer !== undefined) this.#isMemoryChanged = true
    for (const { log } of logs) this.#changed.set(LogId.key(log), log)
  }

  #isPeersOwn({ origin }: LogId.LogId): boolean {
    return this.#memory.identity !== undefined && NodeId.equals(origin, this.#memory.identity)
  }

  #restOf(state: SyncState | undefined): Omit<SyncState, "peer" | keyof LogPair> {
    if (state === undefined) return { syncedHead: 0, lastAttemptAt: 0, lastSuccessAt: 0, failures: 0 }
    const { localHead: _, log: __, peer: ___, remoteHead: ____, ...rest } = state
    return rest
  }

  #set({ localHead, log, remoteHead }: LogPair, rest: Omit<SyncState, "peer" | keyof LogPair>, isNews: boolean): void {
    this.#logs.set(LogId.key(log), { peer: this.peer, log, localHead, remoteHead, ...rest })
    if (isNews) this.#note(log)
  }

  #note(log: LogId.LogId): void {
    this.#changed.set(LogId.key(log), log)
    this.#onChange()
  }

  #remember(change: Partial<PeerMemory>, isNews: boolean): void {
    this.#memory = { ...this.#memory, ...change }
    if (!isNews) return
    this.#isMemoryChanged = true
    this.#onChange()
  }
}
