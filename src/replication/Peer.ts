/**
 * Another node that this one gets messages from, as far as replication needs to know it. Protocols implement it.
 *
 * What a peer says is not trusted: it is checked by who asked.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { LogHead, LogId } from "../domain/LogId.ts"
import type { NodeId } from "../domain/NodeId.ts"
import type { EncodedBlock, ReplicatedMessage } from "../storage/LogStore.ts"
import type { PeerMisbehaved } from "./errors.ts"

/** There is no answer from a peer, or none that could be understood. */
export class PeerUnreachable extends Schema.TaggedError<PeerUnreachable>("millrace/PeerUnreachable")(
  "PeerUnreachable",
  { message: Schema.String },
) {}

/** A message as a peer gives it: where it claims to belong, and what it is. */
export interface PeerMessage extends LogId, ReplicatedMessage {}

/** Messages of the log that was asked for, encoded, whose offsets follow one another from the first one on. */
export interface PeerRun {
  readonly first: number
  readonly blocks: ReadonlyArray<EncodedBlock>
}

/** What a peer gives of a log, in one of two ways: as its protocol has it. */
export type PeerAnswer = ReadonlyArray<PeerMessage> | PeerRun

export interface Peer {
  /** What people call it: the URL that it was configured with. */
  readonly name: string
  /** Who it says that it is. */
  readonly identity: Effect.Effect<NodeId, PeerUnreachable>
  /**
   * All logs that it holds, its own and those that it has got from others. Fails with `PeerMisbehaved` where the list is not
   * to be understood, or has no end: it is asked less and less often then.
   */
  readonly heads: Effect.Effect<ReadonlyArray<LogHead>, PeerUnreachable | PeerMisbehaved>
  /**
   * Messages of a log from an offset on, no more than `limit`. Fewer where there are not so many, or where they would be too
   * many bytes for one answer; but always one where there is one. Fails with `PeerMisbehaved` where what it gives is not
   * to be understood.
   */
  readonly fetch: (
    log: LogId,
    from: number,
    limit: number,
  ) => Effect.Effect<PeerAnswer, PeerUnreachable | PeerMisbehaved>
  /** How many messages one fetch should ask for; absent, or undefined: what its settings say. */
  readonly fetchMax?: (() => number | undefined) | undefined
  /**
   * The logs whose heads move, as they move, with the heads that they have then; several moves of a log may come as one.
   * The first element comes as soon as the peer has agreed to tell, and may be empty. A peer that can only be asked
   * gives nothing. Fails when the connection is lost, or is silent for too long; it does not end.
   */
  readonly moved: Stream.Stream<ReadonlyArray<LogHead>, PeerUnreachable>
}
