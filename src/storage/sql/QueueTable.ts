/**
 * The queues of a store in an SQL database.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { KnownQueues } from "../KnownQueues.ts"
import type { Session } from "./Session.ts"

export type { QueueRow } from "../KnownQueues.ts"

export class QueueTable extends KnownQueues {
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

const selectAll = "SELECT name, queue, first_sequence, last_sequence, attempts FROM millrace_queues"
