/**
 * Searching for the place in a log at which a position of the journal falls.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Session } from "./Session.ts"

/**
 * The first offset of a log whose block ends beyond a given position, by binary search over the index. A message's
 * offset is never greater than its position, which bounds the search. (The cast matters: clients may bind numbers as
 * reals, and then the division would not be one of integers.)
 */
const selectFirstBeyond = (() => {
  const positionInTheMiddle = `(SELECT last_position FROM millrace_blocks
    WHERE log = ? AND last_offset >= (low + high) / 2 ORDER BY last_offset LIMIT 1)`
  return `WITH RECURSIVE search (low, high) AS (
      SELECT CAST(1 AS BIGINT), CASE WHEN head < CAST(? AS BIGINT) THEN head ELSE CAST(? AS BIGINT) END + 1
      FROM millrace_logs WHERE log = ?
      UNION ALL
      SELECT CASE WHEN ${positionInTheMiddle} > ? THEN low ELSE (low + high) / 2 + 1 END,
             CASE WHEN ${positionInTheMiddle} > ? THEN (low + high) / 2 ELSE high END
      FROM search WHERE low < high
    ) SELECT low FROM search WHERE low >= high`
})()

/**
 * Where to read on for the messages of a log beyond a position: the first offset of the block that has the first of
 * them; one more than the head where there is none.
 */
export const firstBeyond = (session: Session, log: number, after: number): Effect.Effect<number, SqlError> =>
  Effect.map(
    session.values(selectFirstBeyond, [after, after, log, log, after, log, after]),
    (rows) => rows[0]![0] as number,
  )
