/**
 * The queues of a store in an SQL database.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { KnownQueues } from "../parts/KnownQueues.ts"
import type { Session } from "./Session.ts"

export type { QueueRow } from "../parts/KnownQueues.ts"

export class QueueTable extends KnownQueues {
  /**
   * Where several nodes write: reads queues of these names, which stay as they are until the transaction ends, and the
   * greatest number given so far. One that is created meanwhile by another node makes the creation here fail.
   */
  lock(session: Session, names: ReadonlyArray<string>): Effect.Effect<void, SqlError> {
    return Effect.map(session.values(selectLocked, [names]), (rows) => {
      for (const [lastNumber, name, number, firstSequence, lastSequence, attempts] of rows) {
        this.lastNumber = Math.max(this.lastNumber, lastNumber as number)
        if (name === null) continue
        this.set(name as string, {
          number: number as number,
          ends: {
            firstSequence: firstSequence as number,
            lastSequence: lastSequence as number,
            attempts: attempts as number,
          },
        })
      }
    })
  }

  /** Reads all queues. */
  load(session: Session): Effect.Effect<void, SqlError> {
    return Effect.map(session.values(selectAll, []), (rows) => {
      for (const [name, number, firstSequence, lastSequence, attempts] of rows) {
        this.set(name as string, {
          number: number as number,
          ends: {
            firstSequence: firstSequence as number,
            lastSequence: lastSequence as number,
            attempts: attempts as number,
          },
        })
      }
    })
  }
}

// In one order, so that nobody waits for somebody who waits for him.
const selectLocked = `SELECT last.number, locked.* FROM (SELECT coalesce(max(queue), 0) AS number FROM millrace_queues) AS last
  LEFT JOIN (
    SELECT name, queue, first_sequence, last_sequence, attempts FROM millrace_queues WHERE name = ANY(?)
    ORDER BY name FOR UPDATE
  ) AS locked ON true`
const selectAll = "SELECT name, queue, first_sequence, last_sequence, attempts FROM millrace_queues"
