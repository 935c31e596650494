/**
 * The queues of a store that writes, as of its last commit: their ends, and as far as somebody asked, the ids of the
 * first items. Blocks of items name their queue by a number.
 */
import { newQueue, type QueueEnds } from "./QueuePlan.ts"

export interface QueueRow {
  /** Its number in this store. */
  readonly number: number
  readonly ends: QueueEnds
}

/** Ids of consecutive items. */
interface KnownIds {
  readonly firstSequence: number
  readonly ids: ReadonlyArray<string>
}

/** Queues whose ids are kept, at most: those of 1,024 items take about 100 kB. */
const knownMax = 64

export class KnownQueues {
  private readonly byName = new Map<string, QueueRow>()
  /** Ids of items at the front, by the queue's name, the queues that were asked for last at the end. */
  private readonly known = new Map<string, KnownIds>()
  /** The greatest number given so far. */
  lastNumber = 0

  find(name: string): QueueRow | undefined {
    return this.byName.get(name)
  }

  ends(name: string): QueueEnds {
    return this.byName.get(name)?.ends ?? newQueue
  }

  set(name: string, row: QueueRow): void {
    this.byName.set(name, row)
    this.lastNumber = Math.max(this.lastNumber, row.number)
  }

  /** The id of a stored item, if it is known. */
  idAt(name: string, sequence: number): string | undefined {
    const known = this.known.get(name)
    return known?.ids[sequence - known.firstSequence]
  }

  /** Remembers the ids of items, instead of those that are known of the queue. */
  know(name: string, ids: KnownIds): void {
    this.known.delete(name)
    if (this.known.size >= knownMax) for (const oldest of this.known.keys()) if (this.known.delete(oldest)) break
    this.known.set(name, ids)
  }
}
