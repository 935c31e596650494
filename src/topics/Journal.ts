/**
 * The journal of a node, for parts of it that work on chunks and not on fibers: what is committed, as it is committed,
 * and messages to be stored that no fiber waits for. The exchange is tied to the topics by it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Message } from "../domain/Message.ts"
import type { AppendError, Depositor as AppendDepositor } from "./internal/entries.ts"
import type { DraftError } from "./draft.ts"
import type { PublishDraft, PublishError } from "./Topics.ts"

/** How a deposit fails. */
export type DepositError = AppendError | DraftError

/** Who wants to know what became of a message that was deposited. Nothing of it may throw, nor wait. */
export interface Depositor extends Omit<AppendDepositor, "failed"> {
  readonly failed: (error: DepositError) => void
}

/** Who follows the journal. Nothing of it may throw, nor wait. */
export interface Follower {
  /** Whether it wants messages on a topic now; asked for each run of messages on one topic. */
  readonly wants: (topic: string) => boolean
  /** Whether of messages that one log has in a row the last one says it all: the others may be left out. Absent: no. */
  readonly isContentWithLast?: boolean
  /** Topic filters that match all that it may want. Where there is none, it wants nothing. */
  readonly filters: () => ReadonlyArray<string>
  /**
   * Takes messages, in journal order. Payloads are lent: they are only there until this returns. Gives how many it took;
   * where that is not all of them, the others are given again after `whenReady`.
   */
  readonly take: (messages: ReadonlyArray<Message>) => number
  /** Calls back once, when it can take more. Called after it has not taken all. */
  readonly whenReady: (resume: () => void) => void
  /** It has been given all that it wanted up to this position. */
  readonly reached: (position: number) => void
}

export interface Following {
  /** To be called when other topics are wanted than before: from then on their messages are given. */
  readonly changed: () => void
  /** It has been given all that it wanted up to here. */
  readonly position: () => number
}

export class Journal extends Context.Service<
  Journal,
  {
    /**
     * Stores a message. No fiber waits for it: the depositor is told what became of it, later, and after the follower that
     * can have it at once has got it. Several that are deposited at a time share a commit. What is refused at once is
     * told at once.
     */
    readonly deposit: (topic: string, payload: Uint8Array, depositor: Depositor) => void

    /** `Topics.publishAll`; `named` is told the ids that the messages have, before anybody can see them. */
    readonly publishAll: (
      drafts: ReadonlyArray<PublishDraft>,
      named: (ids: ReadonlyArray<string>) => void,
    ) => Effect.Effect<ReadonlyArray<Message>, PublishError>

    /**
     * Gives a follower all that it wants of what is committed from now on, whoever commits it: in journal order, each
     * message once. It is given commits while they are being answered, before their publishers are. A follower that takes
     * its time costs no memory: what it has not taken is read from storage again.
     */
    readonly follow: (follower: Follower) => Effect.Effect<Following, never, Scope.Scope>
  }
>()("millrace/topics/Journal") {}
