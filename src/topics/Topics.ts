/**
 * Durable topics: publish, replay, follow.
 *
 * Where the topics are — in this process, or in a node elsewhere — is decided by the layer that provides this service:
 * `Topics.layer` over a storage, or `GrpcTopics.layer` for a URL. Both keep the same promises.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { Cursor } from "../domain/Cursor.ts"
import type {
  CursorInvalid,
  InvalidArgument,
  KeyConflict,
  MessageTooLarge,
  NotPermitted,
  OutcomeUnknown,
  StorageFailed,
  StorageFull,
  Unavailable,
} from "../domain/errors.ts"
import type { LogHead } from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"

export interface PublishOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Makes the publish repeatable: the same key with the same content, on the same topic and within the window (two
   * minutes and 100,000 keys by default), is stored once, however often it is published.
   */
  readonly key?: string | undefined
}

/** A message to publish. Text is sent as UTF-8. */
export interface PublishDraft extends PublishOptions {
  readonly topic: string
  readonly payload: Uint8Array | string
}

export interface FetchOptions {
  /** Whose log: by default this node's own. */
  readonly origin?: NodeId | undefined
  /** First offset, by default 1. */
  readonly from?: number | undefined
  /** Messages at most, by default 100, up to 10,000. Fewer come where the page is full (4 MiB): ask again from the next offset. */
  readonly limit?: number | undefined
}

export interface SubscribeOptions {
  /** Whose messages: by default everybody's. */
  readonly origin?: NodeId | undefined
  /**
   * `"start"`: all that is stored; `"end"` (default): what is committed from now on; an offset (only with one topic
   * and one origin): that message and all after it, also where it is still to come; a cursor: all after it.
   */
  readonly from?: "start" | "end" | number | Cursor | undefined
  /** Run once, when all that was stored at the beginning has been emitted and live messages follow. */
  readonly onLive?: Effect.Effect<void> | undefined
}

/** Who serves the topics. */
export interface NodeInfo {
  readonly node: NodeId
  readonly incarnation: string
}

export type PublishError =
  | InvalidArgument
  | NotPermitted
  | MessageTooLarge
  | KeyConflict
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | Unavailable
export type ReadError = InvalidArgument | StorageFailed | Unavailable
export type DeleteError = InvalidArgument | NotPermitted | StorageFailed | StorageFull | OutcomeUnknown | Unavailable
export type SubscribeError = InvalidArgument | CursorInvalid | StorageFailed | Unavailable

export class Topics extends Context.Service<
  Topics,
  {
    /**
     * Stores a message and succeeds once it is durable, with the stored message. Publishes that wait at the same time
     * share a commit. An interrupted publish may have happened or not.
     */
    readonly publish: (
      topic: string,
      payload: Uint8Array | string,
      options?: PublishOptions,
    ) => Effect.Effect<Message, PublishError>

    /** Stores messages in one commit: all or none of them. They may be of several topics. */
    readonly publishAll: (drafts: ReadonlyArray<PublishDraft>) => Effect.Effect<ReadonlyArray<Message>, PublishError>

    /** One page of a log, in order. */
    readonly fetch: (topic: string, options?: FetchOptions) => Effect.Effect<ReadonlyArray<Message>, ReadError>

    /** The last offset of a log; none where nothing was ever stored. */
    readonly head: (topic: string, origin?: NodeId) => Effect.Effect<Option.Option<number>, ReadError>

    /** All logs with their heads, sorted by topic, then origin. */
    readonly heads: Effect.Effect<ReadonlyArray<LogHead>, ReadError>

    /**
     * Deletes messages of this node's own log: payloads and headers go, offsets stay. Gives the number of messages
     * newly deleted. The range ends at the head: messages to come are not deleted. A marker is appended to
     * `$msgbus.delete`, in the same commit.
     */
    readonly deleteRange: (topic: string, from: number, to: number) => Effect.Effect<number, DeleteError>

    /**
     * Replay, then live, of a topic or a filter over topics. In every log each offset from the start on comes exactly
     * once, in order, whatever happens around it. A subscriber may be as slow as it likes: it holds up nobody, costs a
     * bounded amount of memory, and misses nothing. Deleted messages come as tombstones (`deleted`, no payload).
     */
    readonly subscribe: (filter: string, options?: SubscribeOptions) => Stream.Stream<Message, SubscribeError>

    /** The journal's end now: a subscription that starts at this cursor gets all that is committed after this call. */
    readonly cursor: Effect.Effect<Cursor, ReadError>

    /** Who serves these topics. */
    readonly info: Effect.Effect<NodeInfo, ReadError>

    /** Succeeds where the node can read and write now. */
    readonly check: Effect.Effect<void, StorageFailed | StorageFull | Unavailable>
  }
>()("millrace/topics/Topics") {}
