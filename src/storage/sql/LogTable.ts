/**
 * The logs of a store in an SQL database.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { KnownLogs, type LogRow } from "../parts/KnownLogs.ts"
import type { Session } from "./Session.ts"

export class LogTable extends KnownLogs {
  /** Reads the logs that are new in the database. Where several do that at once, each sees what the others have added. */
  catchUp(session: Session): Effect.Effect<void, SqlError> {
    return Effect.map(session.values(selectNew, [this.lastNumber]), (rows) => {
      for (const [number, topic, tenant, line, device, head] of rows) {
        this.add({
          number: number as number,
          log: {
            topic: topic as string,
            origin: { tenant: tenant as string, line: line as string, device: device as string },
          },
          head: head as number,
        })
      }
    })
  }
}

/** The head of a log as the database has it, with the journal locked: other nodes may have moved it. */
export const refreshHead = (session: Session, row: LogRow): Effect.Effect<void, SqlError> =>
  Effect.map(session.values(selectHead, [row.number]), ([found]) => {
    row.head = (found?.[0] ?? 0) as number
  })

const selectHead = "SELECT head FROM millrace_logs WHERE log = ?"
const selectNew = "SELECT log, topic, tenant, line, device, head FROM millrace_logs WHERE log > ? ORDER BY log"
