/**
 * Durable topics: publish, replay, follow.
 *
 * Where the topics are — in this process, or in a node elsewhere — is decided by the layer that provides this service:
 * `Topics.layer` over a storage, or `GrpcTopics.layer` for a URL. Both keep the same promises.
 */
import * as Context from "effect/Context"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Cursor } from "../domain/Cursor.ts"
import type {
  AccessDenied,
  CursorInvalid,
  CursorLost,
  CursorMismatch,
  CursorTaken,
  CursorUnknown,
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
import type { NamedCursor } from "../domain/NamedCursor.ts"
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
  /**
   * For who passes messages on chunk by chunk and keeps none: payloads are only lent, until the next chunk is pulled. Then
   * the memory of those that were replayed is set free at once. By default they are the subscriber's for good.
   */
  readonly areLent?: boolean | undefined
}

export interface ConsumeOptions {
  /** Whose messages: by default everybody's. */
  readonly origin?: NodeId | undefined
  /**
   * Where a cursor begins that is not there yet; one that is goes on where it is. `"start"` (default): at the first
   * message stored, so that none is left out; `"end"`: with what is committed from now on; an offset (only with one
   * topic): at that message, which must be stored; a cursor: after it.
   */
  readonly from?: "start" | "end" | number | Cursor | undefined
  /** Takes the cursor from whoever holds it, who then ends with `CursorLost`; by default `CursorTaken`. */
  readonly takeOver?: boolean | undefined
  /** Run once, when all that was stored at the beginning has been given out and live messages follow. */
  readonly onLive?: Effect.Effect<void> | undefined
}

export interface HoldOptions extends ConsumeOptions {
  /** The same hold again, after its connection was lost: its epoch, the store it was in, and the last position it got. */
  readonly resume?: (Cursor & { readonly epoch: number }) | undefined
}

/** A named cursor while somebody holds it. */
export interface HeldCursor {
  /** Which hold it is: the store knows the last one only. */
  readonly epoch: number
  readonly incarnation: string
  /** Where it was when it was taken. */
  readonly position: number
  /** All that matches after that position, replay and then live. To be run once. */
  readonly messages: Stream.Stream<Message, ConsumeError>
  /** Says that all messages up to this position have been handled. That is committed soon, without anybody's waiting. */
  readonly handled: (position: number) => void
  /** Waits until that is committed; fails where it cannot be. */
  readonly settled: Effect.Effect<void, ConsumeError>
  /** Fails when the cursor can be moved no more. */
  readonly lost: Effect.Effect<never, ConsumeError>
}

/** A named cursor, and how it stands. */
export interface CursorState extends NamedCursor {
  /** Positions of the journal that it is behind; no more messages than this are waiting for it. */
  readonly lag: number
  /** Whether somebody holds it, through this node or another one on the same store. */
  readonly isHeld: boolean
}

/** Who serves the topics. */
export interface NodeInfo {
  readonly node: NodeId
  readonly incarnation: string
}

export type PublishError =
  | AccessDenied
  | InvalidArgument
  | NotPermitted
  | MessageTooLarge
  | KeyConflict
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | Unavailable
export type ReadError = AccessDenied | InvalidArgument | StorageFailed | Unavailable
export type DeleteError =
  | AccessDenied
  | InvalidArgument
  | NotPermitted
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | Unavailable
export type SubscribeError = AccessDenied | InvalidArgument | CursorInvalid | StorageFailed | Unavailable

/** Why a cursor cannot be moved. */
export type CursorWriteError =
  | AccessDenied
  | InvalidArgument
  | StorageFailed
  | StorageFull
  | OutcomeUnknown
  | Unavailable
export type ConsumeError = SubscribeError | CursorWriteError | CursorMismatch | CursorTaken | CursorLost
/** Why a cursor cannot be reset or deleted. */
export type CursorChangeError = CursorWriteError | CursorUnknown

export type HoldCursor = (
  name: string,
  filter: string,
  options?: HoldOptions,
) => Effect.Effect<HeldCursor, ConsumeError, Scope.Scope>

/** What consumers have in common. */
type Consume<Handled> = <E, R>(
  name: string,
  filter: string,
  handler: (handled: Handled) => Effect.Effect<unknown, E, R>,
  options?: ConsumeOptions,
) => Effect.Effect<never, ConsumeError | E, R>

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

    /**
     * Handles the messages of a topic or a filter, one after the other, for as long as it runs, and keeps under a name
     * how far it has got: started again under that name, here or elsewhere, it goes on after the last message that was
     * handled and committed. At least once, whatever breaks off, and in order in every log. What the handler fails with
     * ends it, with the cursor at the last success: repeat it with a schedule to try again. The cursor is moved while
     * the next messages are handled; what was handled is committed when this ends. There is one consumer of a name at a
     * time; another one fails with `CursorTaken`, unless it takes over.
     */
    readonly consume: Consume<Message>

    /** The same with as many messages at once as there are, in the order of the journal: the fast one. */
    readonly consumeChunks: Consume<NonEmptyReadonlyArray<Message>>

    /** A named cursor to move by hand, for the life of the scope: what `consume` is made of. */
    readonly holdCursor: HoldCursor

    /** All named cursors, sorted by name. */
    readonly cursors: Effect.Effect<ReadonlyArray<CursorState>, ReadError>

    /**
     * Puts a named cursor to the journal's start or end, or after a position of it. Whoever holds it ends with
     * `CursorLost`, and goes on from there when it begins again.
     */
    readonly resetCursor: (name: string, to: "start" | "end" | number) => Effect.Effect<void, CursorChangeError>

    /** Deletes a named cursor. Whoever holds it ends with `CursorLost`. */
    readonly deleteCursor: (name: string) => Effect.Effect<void, CursorChangeError>

    /** The journal's end now: a subscription that starts at this cursor gets all that is committed after this call. */
    readonly cursor: Effect.Effect<Cursor, ReadError>

    /** Who serves these topics. */
    readonly info: Effect.Effect<NodeInfo, ReadError>

    /** Succeeds where the node can read and write now. */
    readonly check: Effect.Effect<void, AccessDenied | StorageFailed | StorageFull | Unavailable>
  }
>()("millrace/topics/Topics") {}
