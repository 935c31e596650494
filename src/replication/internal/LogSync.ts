/**
 * Getting one log from a peer, and comparing it. All that is given is checked before any of it is stored, and what is here
 * already is compared by whoever stores it.
 *
 * A deletion that comes with a log's messages is applied before its marker is stored: after a crash between the two the
 * marker comes again, and a range that is deleted twice is deleted.
 */
import * as Effect from "effect/Effect"
import type { OffsetConflict, OffsetGap, Unavailable, WriteFailure } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import { conflict, isSame } from "../../storage/parts/AcceptPlan.ts"
import type { ReplicatedMessage } from "../../storage/LogStore.ts"
import type { ReadError, Replica } from "../../topics/index.ts"
import { PeerMisbehaved, type PeerRefused } from "../errors.ts"
import type { Peer, PeerUnreachable } from "../Peer.ts"
import type { PeerSettings } from "../PeerSettings.ts"
import { applyDeletions } from "./deletions.ts"
import type { LogPair } from "./plan.ts"
import { ReadAhead } from "./ReadAhead.ts"
import { Run } from "./Run.ts"
import { type Asked, vet } from "./vetting.ts"

/** What is wrong with a peer's copy of a log. */
export type LogProblem = PeerMisbehaved | OffsetConflict | OffsetGap

/** What keeps this node from storing anything. */
export type LocalFailure = WriteFailure | Unavailable | ReadError

/** Told after each batch: up to which offset the log is here now, and how many messages were new. */
export type OnProgress = (localHead: number, accepted: number) => void

/** What is done between two batches. */
export type Between = Effect.Effect<void, PeerUnreachable | PeerRefused | LocalFailure>

/**
 * A batch without its first message, where that is the last one of the batch before, which is stored; undefined where it is
 * another one. What is all new is stored as it came. One that was deleted meanwhile stays in the batch.
 */
const withoutRepeated = (before: ReplicatedMessage, run: Run): Run | undefined => {
  if (run.first !== before.offset) return run
  const first = run.firstMessage()
  if (!isSame(before, first)) return undefined
  return first.deleted && !before.deleted ? run : run.withoutFirst()
}

export class LogSync {
  readonly #peer: Peer
  readonly #replica: Replica["Service"]
  readonly #settings: PeerSettings

  constructor(peer: Peer, replica: Replica["Service"], settings: PeerSettings) {
    this.#peer = peer
    this.#replica = replica
    this.#settings = settings
  }

  /** Gets a log up to the head that the peer has listed. While one batch is being stored, the next ones are on their way. */
  get(
    { localHead, log, remoteHead }: LogPair,
    onProgress: OnProgress,
    between: Between = Effect.void,
  ): Effect.Effect<number, LogProblem | PeerUnreachable | PeerRefused | LocalFailure> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        // The last one that is here comes again, and is compared.
        const ahead = new ReadAhead({
          ask: (from, more) => this.#ask(log, from, remoteHead, more),
          fetch: (asked) => this.#fetch(asked),
          to: remoteHead,
        })
        yield* ahead.goOn(Math.max(localHead, 1), localHead > 0 ? 1 : 0)
        let accepted = 0
        let head = localHead
        let before: ReplicatedMessage | undefined
        while (true) {
          const { answer, asked } = yield* ahead.next
          const run = vet(asked, answer)
          if (!(run instanceof Run)) return yield* run
          if (run.count === 0) {
            const message = `the peer lists ${log.topic} up to ${remoteHead}, and gives nothing from ${asked.from} on`
            return yield* new PeerMisbehaved({ reason: "missing messages", message })
          }
          const { last } = run
          const known = head
          // Only what is here already may have come, where more would be too many bytes for one answer.
          head = Math.max(head, last)
          // With the last one again, but where it came alone: by then the peer may be another life of itself.
          const again = last > known ? 1 : 0
          if (last < remoteHead) yield* ahead.goOn(last + 1 - again, again)
          const fresh = before === undefined ? run : withoutRepeated(before, run)
          if (fresh === undefined) return yield* conflict(log, before!.offset)
          before = run.lastMessage()
          const stored = yield* this.#store(log, known, fresh)
          accepted += stored
          onProgress(head, stored)
          if (last >= remoteHead) return accepted
          yield* between
        }
      }),
    )
  }

  /** Fails where a message is another one here than at the peer. */
  compare(log: LogId, offset: number): Effect.Effect<void, LogProblem | PeerUnreachable | LocalFailure> {
    return Effect.gen({ self: this }, function* () {
      const there = yield* this.#messageAt(log, offset)
      const [here] = yield* this.#replica.read(log, offset, 1)
      if (here === undefined || here.offset !== offset || !isSame(here, there)) return yield* conflict(log, offset)
    })
  }

  /**
   * The first offset, up to one that both have, at which the copies differ; undefined where they do not. Reads the log on both
   * sides, from its beginning.
   */
  firstDifference(
    log: LogId,
    to: number,
  ): Effect.Effect<number | undefined, LogProblem | PeerUnreachable | LocalFailure> {
    return Effect.gen({ self: this }, function* () {
      for (let from = 1; from <= to;) {
        const asked = this.#ask(log, from, to, 0)
        const there = (yield* this.#vetted(asked)).messages()
        const here = yield* this.#replica.read(log, from, Math.max(there.length, 1))
        const both = Math.min(here.length, there.length)
        for (let i = 0; i < both; i++) if (!isSame(here[i]!, there[i]!)) return from + i
        if (both === 0) return from
        from += both
      }
      return undefined
    })
  }

  #messageAt(log: LogId, offset: number): Effect.Effect<ReplicatedMessage, LogProblem | PeerUnreachable> {
    const asked = { log, from: offset, limit: 1, messageBytesMax: this.#settings.messageBytesMax }
    return Effect.flatMap(this.#vetted(asked), (run): Effect.Effect<ReplicatedMessage, PeerMisbehaved> => {
      if (run.count > 0) return Effect.succeed(run.firstMessage())
      const text = `the peer lists ${log.topic}, and does not give the message at offset ${offset}`
      return new PeerMisbehaved({ reason: "missing messages", message: text })
    })
  }

  #ask(log: LogId, from: number, to: number, more: number): Asked {
    const batch = (this.#peer.fetchMax?.() ?? this.#settings.batch) + more
    return { log, from, limit: Math.min(batch, to - from + 1), messageBytesMax: this.#settings.messageBytesMax }
  }

  #fetch({ from, limit, log }: Asked) {
    return this.#peer.fetch(log, from, limit)
  }

  #vetted(asked: Asked): Effect.Effect<Run, LogProblem | PeerUnreachable> {
    return Effect.flatMap(this.#fetch(asked), (answer): Effect.Effect<Run, PeerMisbehaved> => {
      const run = vet(asked, answer)
      return run instanceof Run ? Effect.succeed(run) : run
    })
  }

  /** Stores a batch of which this node has all up to an offset, and gives how many messages were new. */
  #store(log: LogId, head: number, run: Run) {
    return Effect.gen({ self: this }, function* () {
      if (log.topic === deleteMarkers) {
        const messages = run.messages()
        // What is here already is compared first: a log that was changed deletes nothing.
        const known = messages.filter(({ offset }) => offset <= head)
        if (known.length > 0) yield* this.#replica.accept(log, known)
        yield* applyDeletions(this.#replica, log.origin, messages.slice(known.length))
      }
      const { count } = yield* this.#replica.acceptBlocks(log, run.first, run.blocks)
      return count
    })
  }
}
