/**
 * What is looked at before a store is used: that its ends fit together. Whoever numbered on from a head or an end that is
 * wrong would store other messages under numbers that were given before.
 *
 * It takes a look-up a log and queue, whatever the store holds. All that is stored is looked at by `examination`.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { StoreUnusable } from "../../domain/errors.ts"
import * as LogId from "../../domain/LogId.ts"
import { damaged } from "../parts/Identity.ts"
import type { Session } from "./Session.ts"

const selectEnds = `SELECT last_position, last_discarded, coalesce((SELECT max(last_position) FROM millrace_blocks), 0)
  FROM millrace_journal`
const selectWrongHead = `SELECT topic, tenant, line, device, head, stored FROM (
    SELECT *, coalesce((SELECT max(last_offset) FROM millrace_blocks b WHERE b.log = l.log), 0) AS stored
    FROM millrace_logs l
  ) AS logs WHERE head <> stored LIMIT 1`
const selectWrongQueue = `SELECT name, last_sequence, stored FROM (
    SELECT *, coalesce((SELECT max(last_sequence) FROM millrace_queue_blocks b WHERE b.queue = q.queue), 0) AS stored
    FROM millrace_queues q
  ) AS queues WHERE last_sequence >= first_sequence AND last_sequence <> stored OR stored > last_sequence LIMIT 1`

/** Succeeds where the journal's end, all heads and the ends of queues are those of what is stored. */
export const checkEnds = (session: Session, store: string): Effect.Effect<void, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const [row] = yield* session.values(selectEnds, [])
    const [end, lastDiscarded, lastStored] = row as readonly [number, number, number]
    const last = Math.max(lastDiscarded, lastStored)
    if (end !== last) {
      return yield* damaged(store, `its journal ends at position ${last}, and ${end} is noted as its end`)
    }
    const [log] = yield* session.values(selectWrongHead, [])
    if (log !== undefined) {
      const [topic, tenant, line, device, head, stored] = log as [string, string, string, string, number, number]
      const name = LogId.format({ topic, origin: { tenant, line, device } })
      return yield* damaged(store, `the log ${name} ends at offset ${stored}, and ${head} is noted as its head`)
    }
    const [queue] = yield* session.values(selectWrongQueue, [])
    if (queue === undefined) return
    const [name, noted, stored] = queue as [string, number, number]
    return yield* damaged(
      store,
      `the queue ${JSON.stringify(name)} ends at sequence ${stored}, and ${noted} is noted as its end`,
    )
  })
