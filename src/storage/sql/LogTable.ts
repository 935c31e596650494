/**
 * The logs of a store in an SQL database.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { KnownLogs } from "../KnownLogs.ts"
import type { Session } from "./Session.ts"

export class LogTable extends KnownLogs {
  /** Reads the logs that are new in the database. */
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

const selectNew = "SELECT log, topic, tenant, line, device, head FROM millrace_logs WHERE log > ? ORDER BY log"
