/**
 * What replication does to a node's logs: those of other nodes are kept here as their owners numbered them. Whatever is
 * accepted reaches the subscribers of this node in the order of its journal, as everything else.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { OffsetConflict, OffsetGap, Unavailable, WriteFailure } from "../domain/errors.ts"
import type { LogHead, LogId } from "../domain/LogId.ts"
import type { Message } from "../domain/Message.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { AcceptedRun, AcceptResult, EncodedBlock, ReplicatedMessage } from "../storage/LogStore.ts"
import type { ReadError } from "./Topics.ts"

export class Replica extends Context.Service<
  Replica,
  {
    /** Whose node it is: its own logs are nobody else's to write. */
    readonly node: NodeId
    /** Of its store: a random id, made when that is created or restored. */
    readonly incarnation: string
    /** All logs that are here, with their heads. */
    readonly heads: Effect.Effect<ReadonlyArray<LogHead>, ReadError>
    /** The last offset of a log; 0 where nothing of it is here. */
    readonly head: (log: LogId) => Effect.Effect<number, ReadError>
    /** Messages of a log from an offset on: so many at most, and fewer where they are large. */
    readonly read: (log: LogId, from: number, limit: number) => Effect.Effect<ReadonlyArray<Message>, ReadError>
    /** The same, encoded, from just that offset on: see `LogStore.readBlocks`. */
    readonly readBlocks: (
      log: LogId,
      from: number,
      limit: number,
    ) => Effect.Effect<ReadonlyArray<EncodedBlock>, ReadError>
    /** See `LogStore.accept`: all or nothing, and the same again changes nothing. */
    readonly accept: (
      log: LogId,
      messages: ReadonlyArray<ReplicatedMessage>,
    ) => Effect.Effect<AcceptResult, OffsetConflict | OffsetGap | WriteFailure | Unavailable>
    /** The same for messages that are encoded, and whose offsets follow one another from one on. */
    readonly acceptBlocks: (
      log: LogId,
      from: number,
      blocks: ReadonlyArray<EncodedBlock>,
    ) => Effect.Effect<AcceptedRun, OffsetConflict | OffsetGap | WriteFailure | Unavailable>
    /** Deletes a range of another node's log, as that node has; messages of it that are still to come are tombstones. */
    readonly deleteRange: (log: LogId, from: number, to: number) => Effect.Effect<void, WriteFailure | Unavailable>
    /**
     * Takes a log's messages away from an offset on, as if they had never come: for an operator who has decided that
     * another node's copy of the log is right. What is accepted in their place reaches subscribers as anything else that
     * is new, at offsets that they have seen before.
     */
    readonly discard: (log: LogId, from: number) => Effect.Effect<void, WriteFailure | Unavailable>
  }
>()("millrace/topics/Replica") {}
