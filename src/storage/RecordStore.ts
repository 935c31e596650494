/**
 * The contract of a store of records: what the parts of a node keep about themselves beside its logs, such as how far
 * replication is with each peer. The same backends that keep logs keep them, in the same database. There are few of them,
 * thousands at most, and each is small.
 *
 * A record belongs to the store's node: where several nodes share a store, none sees another one's. A backup has them, and
 * so has the store that is made of it. Failures are those of `LogStore`; a store that is full goes on to keep records.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StorageFailed, WriteFailure } from "../domain/errors.ts"

/** A record: a name, and a text (JSON, by whoever owns it). */
export interface StoredRecord {
  /** Not empty. Whose record it is comes first in it, since records are found by how their keys begin. */
  readonly key: string
  readonly value: string
}

export interface RecordChange {
  /** No two of the same key. */
  readonly put: ReadonlyArray<StoredRecord>
  /** Keys; a record that is put as well is there afterwards. */
  readonly remove: ReadonlyArray<string>
}

export class RecordStore extends Context.Service<
  RecordStore,
  {
    /** Writes records (replacing those of the same key) and removes others, in one durable commit. */
    readonly write: (change: RecordChange) => Effect.Effect<void, WriteFailure>

    /** All records whose keys begin with a prefix, sorted by key. */
    readonly records: (prefix: string) => Effect.Effect<ReadonlyArray<StoredRecord>, StorageFailed>
  }
>()("millrace/storage/RecordStore") {}

/** Records by key, in the order of UTF-16 units: databases have orders of their own. */
export const sortRecords = (records: ReadonlyArray<StoredRecord>): ReadonlyArray<StoredRecord> =>
  records.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
