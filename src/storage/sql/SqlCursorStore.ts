/**
 * The store of named cursors over any `SqlClient`. It shares the connection, and the fate, of the store of logs.
 *
 * The database itself compares epochs, in the statement that writes: what several nodes on one database do at the same
 * time comes out as if they had done it one after the other.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { CursorMismatch } from "../../domain/errors.ts"
import {
  type CursorClaim,
  type CursorMove,
  type CursorReset,
  type CursorStore,
  mismatchOf,
  sortCursors,
  type StoredCursor,
} from "../CursorStore.ts"
import type { Session } from "./Session.ts"
import type { Written, WriteTransaction } from "./WriteTransaction.ts"

/** Opens the cursors of a database that is prepared. */
export const make = (transaction: WriteTransaction): CursorStore["Service"] => ({
  claim: (request) => transaction.write("claim", (session) => Effect.map(claim(session, request), written)),
  move: (moves) =>
    transaction.write("move", (session) =>
      Effect.map(
        Effect.forEach(moves, (one) => move(session, one)),
        written,
      ),
    ),
  reset: (request) => transaction.write("reset", (session) => Effect.map(reset(session, request), written)),
  delete: (name) =>
    transaction.write("delete", (session) =>
      Effect.map(session.values(deleteCursor, [name]), (rows) => written(rows.length > 0)),
    ),
  cursors: transaction.read("cursors", (session) =>
    Effect.map(session.values(selectCursors, []), (rows) => sortCursors(rows.map(toCursor))),
  ),
})

/** Nothing of cursors is kept in memory. */
const written = <A>(value: A): Written<A> => ({ value, committed: () => undefined })

const columns = "name, topics, tenant, line, device, position, epoch, moved_at"
const selectCursors = `SELECT ${columns} FROM millrace_cursors`
const selectCursor = `${selectCursors} WHERE name = ?`
// First of all in a transaction: whoever else claims waits here, so that what is read next is what is claimed.
const nextEpoch = "UPDATE millrace_cursor_epochs SET last_epoch = last_epoch + 1 RETURNING last_epoch"
const insertCursor = `INSERT INTO millrace_cursors (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
const updateEpoch = "UPDATE millrace_cursors SET epoch = ? WHERE name = ?"
const moveCursor = `UPDATE millrace_cursors SET
    moved_at = CASE WHEN position < ? THEN ? ELSE moved_at END,
    position = CASE WHEN position < ? THEN ? ELSE position END
  WHERE name = ? AND epoch = ? RETURNING name`
const resetCursor = `UPDATE millrace_cursors SET position = ?, moved_at = ?, epoch = ? WHERE name = ? RETURNING name`
const deleteCursor = "DELETE FROM millrace_cursors WHERE name = ? RETURNING name"

const toCursor = ([name, topics, tenant, line, device, position, epoch, movedAt]: ReadonlyArray<unknown>) =>
  ({
    name: name as string,
    topics: topics as string,
    origin: tenant === null ? undefined : { tenant: tenant as string, line: line as string, device: device as string },
    position: position as number,
    epoch: epoch as number,
    movedAt: movedAt as number,
  }) satisfies StoredCursor

const newEpoch = (session: Session): Effect.Effect<number, SqlError> =>
  Effect.map(session.values(nextEpoch, []), (rows) => rows[0]![0] as number)

const claim = Effect.fnUntraced(function* (
  session: Session,
  { at, filter, name, position }: CursorClaim,
): Effect.fn.Return<StoredCursor, SqlError | CursorMismatch> {
  const epoch = yield* newEpoch(session)
  const [row] = yield* session.values(selectCursor, [name])
  const { origin, topics } = filter
  if (row === undefined) {
    const node = [origin?.tenant ?? null, origin?.line ?? null, origin?.device ?? null]
    yield* session.run(insertCursor, [name, topics, ...node, position, epoch, at])
    return { name, topics, origin, position, epoch, movedAt: at }
  }
  const stored = toCursor(row)
  const mismatch = mismatchOf(stored, filter)
  if (mismatch !== undefined) return yield* mismatch
  yield* session.run(updateEpoch, [epoch, name])
  return { ...stored, epoch }
})

const move = (session: Session, { at, epoch, name, position }: CursorMove): Effect.Effect<boolean, SqlError> =>
  Effect.map(session.values(moveCursor, [position, at, position, position, name, epoch]), (moved) => moved.length > 0)

const reset = Effect.fnUntraced(function* (
  session: Session,
  { at, name, position }: CursorReset,
): Effect.fn.Return<boolean, SqlError> {
  const epoch = yield* newEpoch(session)
  return (yield* session.values(resetCursor, [position, at, epoch, name])).length > 0
})
