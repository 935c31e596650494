/**
 * The contract of a store of logs. A backend is a folder beside this file that ends in a `layer` providing it.
 *
 * A store keeps logs (see `domain/LogId`) and one journal over all of them: every stored message has a *position*,
 * and positions grow in commit order. A store belongs to one node, whose identity it remembers, and has an
 * *incarnation*, a random id made when the store is created or restored.
 *
 * It knows nothing of fibers, subscribers or networks. Whatever goes in and comes out can be cloned and packed, so that
 * any backend can run in a worker thread (`storage/worker`). Calls that write are made one after another by their
 * caller (the journal writer) or at least take effect in the order in which they were made; calls that read may run beside them
 * and see every write that was acknowledged before they began. A store keeps none of the arrays that it is given, and
 * hands out none that it will change: payloads are copied where they are kept.
 *
 * Several nodes may share a store (`StoreInfo.isShared`): all see all logs, and each appends to its own. There is one
 * journal, and what is at a position is there before anything behind it can be read.
 *
 * **Failure.** `StorageFailed` changed nothing. `OutcomeUnknown` may have: after it the store refuses to write until it
 * is opened again, because what a failed fsync left behind cannot be known. `StorageFull` changed nothing either: a store
 * that is full takes nothing new, but goes on to take away (`tombstone`, `discard`, and `QueueStore`'s operations but `enqueue`)
 * for as long as there is any room to write that down.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { OffsetConflict, OffsetGap, StorageFailed, StorageFull, WriteFailure } from "../domain/errors.ts"
import type { LogHead, LogId } from "../domain/LogId.ts"
import type { Headers, Message } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"

/** What an acknowledged write has survived: a power cut, the death of the process, or nothing. */
export type Durability = "fsync" | "os" | "memory"

/** What a store says of itself; constant while it is open. */
export interface StoreInfo {
  /** The node whose store it is. */
  readonly node: NodeId
  /** Made anew when the store is created or restored. */
  readonly incarnation: string
  readonly durability: Durability
  /** The backend, for people: `sqlite`, `memory` … */
  readonly backend: string
  /** Whether other nodes write to the same journal: see `LogStore.onMoved`. Absent: no. */
  readonly isShared?: boolean | undefined
}

/** A message to append to a log of the store's own node. */
export interface Draft {
  readonly topic: string
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
  /** Makes the append repeatable: see `append`. */
  readonly key?: string | undefined
  /**
   * When the key is used, in milliseconds since 1970 by a clock that nobody sets; absent: `createdAt`. The key's age
   * counts from it, so that it is not forgotten early where the machine's clock is set.
   */
  readonly keyedAt?: number | undefined
}

/** A message of another node, as that node numbered it. Where `deleted`, its payload and headers are ignored. */
export interface ReplicatedMessage {
  readonly offset: number
  readonly id: string
  readonly createdAt: number
  readonly headers: Headers
  readonly payload: Uint8Array
  readonly deleted: boolean
}

/** What became of a batch of drafts. The arrays have one entry for each draft, over all requests, in batch order. */
export interface AppendResult {
  /** Offset in the draft's log; 0 where its request was refused. */
  readonly offsets: ReadonlyArray<number>
  /** Position in the journal; 0 where its request was refused. */
  readonly positions: ReadonlyArray<number>
  /** Drafts that were stored before under the same key: the stored message's identity. */
  readonly repeats: ReadonlyArray<AppendRepeat>
  /** Requests that were refused, because a key in them was used before for other content. */
  readonly conflicts: ReadonlyArray<AppendConflict>
}

export interface AppendRepeat {
  /** Which draft, over all requests. */
  readonly draft: number
  readonly id: string
  readonly createdAt: number
  readonly deleted: boolean
}

export interface AppendConflict {
  /** Which request of the batch. */
  readonly request: number
  readonly topic: string
  readonly key: string
  /** The offset at which the key's content is stored. */
  readonly offset: number
}

/** Messages that follow one another in a log, encoded (`Block`). */
export interface EncodedBlock {
  /** How many messages it holds. */
  readonly messages: number
  readonly content: Uint8Array
}

/** Drafts without keys for one log. */
export interface DraftBlock extends EncodedBlock {
  readonly topic: string
}

/** Where the first message of a block was stored; the others follow it. */
export interface BlockPlace {
  readonly offset: number
  readonly position: number
}

/** What became of messages of another node. */
export interface AcceptResult {
  /** Those that were new, as stored, with their positions. A message whose range was deleted before it came is stored as a tombstone. */
  readonly accepted: ReadonlyArray<Message>
  /** The log's head now. */
  readonly head: number
}

/** What became of messages of another node, for whoever has them. */
export interface AcceptedRun {
  /** The log's head now. */
  readonly head: number
  /** How many messages were new: those up to the head. They have positions one after another. */
  readonly count: number
  /** The position of the first of them; 0 where there is none. */
  readonly position: number
  /** Offsets of those that are stored as tombstones, but for those that came as such. */
  readonly deleted: ReadonlyArray<number>
}

export interface TombstoneRequest {
  readonly log: LogId
  /** First offset of the range. */
  readonly from: number
  /** Last offset of the range, ≥ `from`. */
  readonly to: number
  /**
   * For a log of the store's own node: clamps the range to the head and appends a marker of what was deleted, if
   * anything was, to the topic `$msgbus.delete`. The store makes the payload, since only it knows the clamped range.
   * Absent for a log of another node: the whole range is remembered, for messages that are still to come.
   */
  readonly marker: { readonly id: string; readonly createdAt: number } | undefined
}

export interface TombstoneResult {
  /** How many messages were marked now that had not been. */
  readonly deleted: number
  /** The marker as stored, where one was appended. */
  readonly marker: Message | undefined
}

export interface DiscardResult {
  /** The log's head now. */
  readonly head: number
  /** How many messages there were from the offset on. */
  readonly discarded: number
}

/** How much a page holds at most; always at least one message where there is one. */
export interface PageLimit {
  /** Messages in the page. */
  readonly rows: number
  /** Bytes of payloads and headers in the page, about. */
  readonly bytes: number
}

/** Which messages of the journal are wanted. */
export interface JournalFilter {
  /** A topic filter (`domain/TopicFilter`). */
  readonly topics: string
  /** Only of this origin; absent: of all. */
  readonly origin: NodeId | undefined
}

export interface JournalPage {
  readonly messages: ReadonlyArray<Message>
  /** Every message that matches, up to and with this position, is in this page or an earlier one. */
  readonly scannedTo: number
  /** The journal's last position when the page was read: `scannedTo ≥ end` means that there was no more. */
  readonly end: number
  /**
   * Sets the memory of all payloads in the page free. Whoever has given none of them away, and needs them no more, may
   * call it, once; otherwise they are collected when nobody has them any more. Absent where there is nothing to win.
   */
  readonly release?: (() => void) | undefined
}

/** How long, and how many, keys are remembered: whichever bound is reached first. */
export interface KeyWindow {
  readonly millis: number
  readonly count: number
}

/** Two minutes and 100,000 keys. */
export const defaultKeyWindow: KeyWindow = { millis: 120_000, count: 100_000 }

export class LogStore extends Context.Service<
  LogStore,
  {
    readonly info: StoreInfo

    /**
     * Appends drafts to logs of the store's own node, in one durable commit. Offsets and positions are given in batch
     * order. A batch is a list of requests, and a request is taken or refused as a whole, without effect on the others.
     *
     * A draft with a key that was used in its log before, within the window, is not stored again: same headers and
     * payload → the first message's place is the result (also within one batch); anything else → the request is
     * refused as a conflict.
     */
    readonly append: (requests: ReadonlyArray<ReadonlyArray<Draft>>) => Effect.Effect<AppendResult, WriteFailure>

    /**
     * What `append` does, for drafts without keys that are encoded already, in one durable commit. Backends that store
     * blocks as they are have it, so that a batch which comes from another thread need not be taken apart.
     */
    readonly appendBlocks?: (
      blocks: ReadonlyArray<DraftBlock>,
    ) => Effect.Effect<ReadonlyArray<BlockPlace>, WriteFailure>

    /**
     * Stores messages of another node's log, which must be in the order of their offsets, in one durable commit. What
     * is already there with the same content (id, creation time, headers, payload; or tombstoned on either side) is
     * skipped, except that `deleted` may turn true. All or nothing.
     */
    readonly accept: (
      log: LogId,
      messages: ReadonlyArray<ReplicatedMessage>,
    ) => Effect.Effect<AcceptResult, OffsetConflict | OffsetGap | WriteFailure>

    /**
     * What `accept` does, for messages that are encoded already, and whose offsets follow one another from one on. Backends
     * that store blocks as they are have it: see `appendBlocks`. Those of deleted messages hold no content.
     */
    readonly acceptBlocks?: (
      log: LogId,
      from: number,
      blocks: ReadonlyArray<EncodedBlock>,
    ) => Effect.Effect<AcceptedRun, OffsetConflict | OffsetGap | WriteFailure>

    /** Deletes a range: payloads and headers are dropped, places remain, heads do not move. One durable commit. */
    readonly tombstone: (request: TombstoneRequest) => Effect.Effect<TombstoneResult, WriteFailure>

    /**
     * Takes a log's messages away from an offset on, as if they had never come: the head goes back, and nothing else makes
     * it. For logs of any node. What was deleted of the log stays remembered: where a deleted message comes again, it is a
     * tombstone. Keys of the messages are forgotten. Their positions are not used again, and the journal's end moves on by
     * one position that has no message: whoever has read up to there has seen that they are gone. One durable commit; where
     * there is nothing to take away, nothing changes.
     */
    readonly discard: (log: LogId, from: number) => Effect.Effect<DiscardResult, WriteFailure>

    /** A log's messages from an offset on, in order. */
    readonly readLog: (
      log: LogId,
      from: number,
      limit: PageLimit,
    ) => Effect.Effect<ReadonlyArray<Message>, StorageFailed>

    /**
     * What `readLog` gives, encoded: messages from just that offset on, one after another, none where there is none. Backends
     * that store blocks have it, so that a log which goes elsewhere need not be taken apart. Each content has
     * memory of its own, which is the caller's.
     */
    readonly readBlocks?: (
      log: LogId,
      from: number,
      limit: PageLimit,
    ) => Effect.Effect<ReadonlyArray<EncodedBlock>, StorageFailed>

    /**
     * The journal's messages after a position, in order: those that match a filter, or any one of several. Bounded also in
     * what is looked at: a page can be empty and not the last.
     */
    readonly readJournal: (
      after: number,
      filter: JournalFilter | ReadonlyArray<JournalFilter>,
      limit: PageLimit,
    ) => Effect.Effect<JournalPage, StorageFailed>

    /** The last offset of a log; none where nothing was ever stored. */
    readonly head: (log: LogId) => Effect.Effect<Option.Option<number>, StorageFailed>

    /** All logs with their heads, sorted by topic, then origin. */
    readonly heads: Effect.Effect<ReadonlyArray<LogHead>, StorageFailed>

    /** The journal's last position; 0 where it is empty. */
    readonly end: Effect.Effect<number, StorageFailed>

    /** Succeeds, with why, when the store has given up writing. Absent, or never succeeding, where it does not. */
    readonly stopped?: Effect.Effect<string>

    /**
     * Calls a listener when the store has been opened again behind this service, with the journal's end: what was in
     * doubt may have moved it. Nothing is written before the listener is done. Gives how to take the listener away again.
     */
    readonly onReopened?: (listener: (end: number) => Effect.Effect<void>) => () => void

    /**
     * Of a shared store: calls a listener with the journal's end when another node has moved it, and now and then also
     * when nobody has; late, but never later than the store's polling interval while it can be reached. What a node
     * follows it reads from the store up to there, in journal order; its own commits may lie between those of others.
     * Gives how to take the listener away again.
     */
    readonly onMoved?: (listener: (end: number) => void) => () => void

    /** Succeeds where the store can be read and written now, and has room for more. */
    readonly check: Effect.Effect<void, StorageFailed | StorageFull>
  }
>()("millrace/storage/LogStore") {}
