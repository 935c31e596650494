/**
 * The contract of a store of named cursors. The same backends that keep logs keep them, in the same database: a cursor
 * is a position of that journal, and is kept and lost with it.
 *
 * A cursor has one holder. Who holds it is told by its **epoch**: whoever claims the cursor gets an epoch that nobody had
 * before, of this cursor or another, and only a move that carries the latest one takes effect. So a holder that was
 * replaced, wherever it runs, can move the cursor no more, also where it does not know yet. A cursor moves on, never
 * back, unless it is reset. Failures are those of `LogStore`; a store that is full goes on to keep cursors.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { CursorMismatch, type StorageFailed, type WriteFailure } from "../domain/errors.ts"
import type { NamedCursor } from "../domain/NamedCursor.ts"
import * as NodeId from "../domain/NodeId.ts"
import type { JournalFilter } from "./LogStore.ts"

/** A cursor as it is stored. */
export interface StoredCursor extends NamedCursor {
  readonly epoch: number
}

export interface CursorClaim {
  readonly name: string
  /** What it is for. */
  readonly filter: JournalFilter
  /** Where it begins, if it is new. */
  readonly position: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface CursorMove {
  readonly name: string
  readonly epoch: number
  readonly position: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface CursorReset {
  readonly name: string
  readonly position: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export class CursorStore extends Context.Service<
  CursorStore,
  {
    /**
     * Takes a cursor, made where it does not exist, from whoever held it: gives it with its new epoch and where it is.
     * Refused, and nothing has changed, where it was made for other messages. One durable commit.
     */
    readonly claim: (claim: CursorClaim) => Effect.Effect<StoredCursor, CursorMismatch | WriteFailure>

    /**
     * Moves cursors in one durable commit, in batch order. Gives of each whether its epoch was the cursor's: a move of
     * another epoch, or of a cursor that is gone, changes nothing and does not stop the others. A move to where the
     * cursor has been is accepted, and does not move it.
     */
    readonly move: (moves: ReadonlyArray<CursorMove>) => Effect.Effect<ReadonlyArray<boolean>, WriteFailure>

    /** Puts a cursor somewhere, back also, and takes it from its holder. Gives whether there is one. One durable commit. */
    readonly reset: (reset: CursorReset) => Effect.Effect<boolean, WriteFailure>

    /** Removes a cursor, and takes it from its holder. Gives whether there was one. One durable commit. */
    readonly delete: (name: string) => Effect.Effect<boolean, WriteFailure>

    /** All cursors, sorted by name. */
    readonly cursors: Effect.Effect<ReadonlyArray<StoredCursor>, StorageFailed>
  }
>()("millrace/storage/CursorStore") {}

/** Cursors by name, in the order of UTF-16 units: databases have orders of their own. */
export const sortCursors = <A extends NamedCursor>(cursors: ReadonlyArray<A>): ReadonlyArray<A> =>
  cursors.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

const sameOrigin = (a: NodeId.NodeId | undefined, b: NodeId.NodeId | undefined): boolean =>
  a === undefined || b === undefined ? a === b : NodeId.equals(a, b)

const describe = ({ origin, topics }: JournalFilter): string =>
  JSON.stringify(topics) + (origin === undefined ? "" : ` of ${NodeId.format(origin)}`)

/** Why a stored cursor cannot be claimed for these messages, if so. */
export const mismatchOf = (stored: NamedCursor, wanted: JournalFilter): CursorMismatch | undefined =>
  stored.topics === wanted.topics && sameOrigin(stored.origin, wanted.origin)
    ? undefined
    : new CursorMismatch({
        cursor: stored.name,
        message:
          `the cursor ${JSON.stringify(stored.name)} was made for ${describe(stored)}, not for ${describe(wanted)}: ` +
          `take another name, or delete the cursor first`,
      })
