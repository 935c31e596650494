/**
 * The queues of a store that writes, by name, as of its last commit. Rows of items name their queue by a number.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Session } from "./Session.ts"

export interface QueueRow {
  /** Its number in this store. */
  readonly number: number
  readonly depth: number
  readonly lastSequence: number
}

export class QueueTable {
  private readonly byName = new Map<string, QueueRow>()
  /** The greatest number given so far. */
  lastNumber = 0

  find(name: string): QueueRow | undefined {
    return this.byName.get(name)
  }

  set(name: string, row: QueueRow): void {
    this.byName.set(name, row)
    this.lastNumber = Math.max(this.lastNumber, row.number)
  }

  /** Reads all queues. */
  load(session: Session): Effect.Effect<void, SqlError> {
    return Effect.map(session.values("SELECT name, queue, depth, last_sequence FROM millrace_queues", []), (rows) => {
      for (const [name, number, depth, lastSequence] of rows) {
        this.set(name as string, {
          number: number as number,
          depth: depth as number,
          lastSequence: lastSequence as number,
        })
      }
    })
  }
}
