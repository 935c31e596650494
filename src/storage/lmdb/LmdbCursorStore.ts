/**
 * The store of named cursors in an environment. Nothing of them is kept in memory.
 */
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
import type { Commits, Refused, Written } from "./Commits.ts"
import type { Tables } from "./Environment.ts"
import { cursorKey, cursorValue, firstName, long, readCursor, readLong } from "./Layout.ts"

export const make = (tables: Tables, commits: Commits): CursorStore["Service"] => {
  const write = <A, E = never>(operation: string, body: () => Written<A> | Refused<E>) =>
    commits.write({ operation, purpose: "takes away", bytes: 0, body })
  return {
    claim: (request) => write("claim", () => claim(tables, request)),
    move: (moves) => write("move", () => written(moves.map((one) => move(tables, one)))),
    reset: (request) => write("reset", () => written(reset(tables, request))),
    delete: (name) => write("delete", () => written(remove(tables, name))),
    cursors: commits.read("cursors", () =>
      sortCursors(Array.from(tables.cursors.rows(firstName), ({ key, value }) => readCursor(key, value))),
    ),
  }
}

const written = <A>(value: A): Written<A> => ({ value, committed: () => undefined })

/** In the table `meta`. */
const epochKey = Buffer.from("last_epoch")

/** The last epoch that was given. */
export const readEpoch = ({ meta }: Tables): number => {
  const value = meta.get(epochKey)
  return value === undefined ? 0 : readLong(value)
}

const newEpoch = (tables: Tables): number => {
  const epoch = readEpoch(tables) + 1
  tables.meta.put(epochKey, long(epoch))
  return epoch
}

const find = ({ cursors }: Tables, name: string): StoredCursor | undefined => {
  const key = cursorKey(name)
  const value = cursors.get(key)
  return value === undefined ? undefined : readCursor(key, value)
}

const put = ({ cursors }: Tables, cursor: StoredCursor): void =>
  cursors.put(cursorKey(cursor.name), cursorValue(cursor))

const claim = (
  tables: Tables,
  { at, filter, name, position }: CursorClaim,
): Written<StoredCursor> | Refused<CursorMismatch> => {
  const stored = find(tables, name)
  const mismatch = stored === undefined ? undefined : mismatchOf(stored, filter)
  if (mismatch !== undefined) return { refused: mismatch }
  const { origin, topics } = filter
  const claimed = { ...(stored ?? { name, topics, origin, position, movedAt: at }), epoch: newEpoch(tables) }
  put(tables, claimed)
  return written(claimed)
}

const move = (tables: Tables, { at, epoch, name, position }: CursorMove): boolean => {
  const stored = find(tables, name)
  if (stored?.epoch !== epoch) return false
  if (position > stored.position) put(tables, { ...stored, position, movedAt: at })
  return true
}

const reset = (tables: Tables, { at, name, position }: CursorReset): boolean => {
  const stored = find(tables, name)
  if (stored === undefined) return false
  put(tables, { ...stored, position, movedAt: at, epoch: newEpoch(tables) })
  return true
}

const remove = (tables: Tables, name: string): boolean => {
  if (find(tables, name) === undefined) return false
  tables.cursors.remove(cursorKey(name))
  return true
}
