/**
 * Logs that were being asked for when the connection to the peer broke, before anything of them had come. It may have been
 * the log that breaks it: such logs are asked for after all others, and where it happens again something is wrong with them.
 */
import * as LogId from "../../domain/LogId.ts"

export class Stumbles {
  readonly #counts: Map<string, number> = new Map()

  /** It happened with a log; gives how often in a row. */
  add(log: LogId.LogId): number {
    const count = (this.#counts.get(LogId.key(log)) ?? 0) + 1
    this.#counts.set(LogId.key(log), count)
    return count
  }

  clear(log: LogId.LogId): void {
    this.#counts.delete(LogId.key(log))
  }

  /** Forgets logs that the peer does not list any more: it could list others for ever. */
  keep(listed: ReadonlyArray<{ readonly log: LogId.LogId }>): void {
    if (this.#counts.size === 0) return
    const kept = new Set(listed.map(({ log }) => LogId.key(log)))
    for (const key of this.#counts.keys()) if (!kept.has(key)) this.#counts.delete(key)
  }

  /** The same, those that it happened with at the end. */
  inOrder<A extends { readonly log: LogId.LogId }>(pairs: ReadonlyArray<A>): ReadonlyArray<A> {
    if (this.#counts.size === 0) return pairs
    const [last, first] = [true, false].map((is) => pairs.filter(({ log }) => this.#counts.has(LogId.key(log)) === is))
    return [...first!, ...last!]
  }
}
