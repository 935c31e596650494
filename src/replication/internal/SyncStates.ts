/** What is known of each log of each peer. */
import * as LogId from "../../domain/LogId.ts"
import type { SyncState } from "../SyncState.ts"
import type { Wanted } from "./plan.ts"

export class SyncStates {
  readonly #states: Map<string, SyncState> = new Map()

  list(): ReadonlyArray<SyncState> {
    return [...this.#states.values()]
  }

  /** Forgets the logs that a peer does not list any more: it could list others for ever. */
  keep(peer: string, listed: ReadonlyArray<Wanted>): void {
    const kept = new Set(listed.map(({ log }) => this.#key(peer, log)))
    for (const [key, state] of this.#states) if (state.peer === peer && !kept.has(key)) this.#states.delete(key)
  }

  succeeded(peer: string, one: Wanted, syncedHead: number, at: number): void {
    this.#set(
      peer,
      { ...one, localHead: Math.max(one.localHead, syncedHead) },
      {
        syncedHead,
        lastAttemptAt: at,
        lastSuccessAt: at,
        failures: 0,
        lastError: undefined,
      },
    )
  }

  failed(peer: string, one: Wanted, message: string, at: number): void {
    const before = this.#states.get(this.#key(peer, one.log))
    this.#set(peer, one, {
      syncedHead: before?.syncedHead ?? 0,
      lastAttemptAt: at,
      lastSuccessAt: before?.lastSuccessAt ?? 0,
      failures: (before?.failures ?? 0) + 1,
      lastError: message,
    })
  }

  #key(peer: string, log: LogId.LogId): string {
    return `${peer}\0${LogId.key(log)}`
  }

  #set(peer: string, { log, localHead, remoteHead }: Wanted, rest: Omit<SyncState, "peer" | keyof Wanted>): void {
    this.#states.set(this.#key(peer, log), { peer, log, localHead, remoteHead, ...rest })
  }
}
