/**
 * The filters that live clients have subscribed to, as filters over durable topics.
 *
 * Durable topics hold no wildcards, so a filter of the live plane that is none of the durable plane matches no durable
 * topic. What begins with `$` belongs to the durable plane alone.
 */
import * as Topic from "../../domain/Topic.ts"
import * as TopicFilter from "../../domain/TopicFilter.ts"

/** The filter over durable topics that a live filter stands for, or nothing where it matches none of them. */
export const durableFilter = (filter: string): string | undefined => {
  const plain = TopicFilter.parts(filter).join("/")
  return Topic.isReserved(plain) || TopicFilter.problem(plain) !== undefined ? undefined : plain
}

export class LiveFilters {
  readonly #counts = new Map<string, number>()
  readonly #changed: () => void

  /** @param changed called when there is a filter more or less */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  list(): ReadonlyArray<string> {
    return [...this.#counts.keys()]
  }

  add(live: string): void {
    const filter = durableFilter(live)
    if (filter === undefined) return
    const count = this.#counts.get(filter) ?? 0
    this.#counts.set(filter, count + 1)
    if (count === 0) this.#changed()
  }

  remove(live: string): void {
    const filter = durableFilter(live)
    if (filter === undefined) return
    const count = this.#counts.get(filter)! - 1
    if (count > 0) {
      this.#counts.set(filter, count)
      return
    }
    this.#counts.delete(filter)
    this.#changed()
  }
}
