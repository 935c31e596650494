/**
 * Bugs planted on purpose in what nodes are made of. The simulation must find every one of them: if it did not, finding
 * nothing elsewhere would prove nothing.
 */
import type * as Replication from "../../src/replication/index.ts"
import type * as Memory from "../../src/storage/memory/index.ts"
import type * as Topics from "../../src/topics/index.ts"
import { type Bug, plantIn } from "../support/plantedSource.ts"
import type { Parts } from "./parts.ts"
import type { Kind } from "./Scenario.ts"

/** A bug, and what has to befall nodes before it shows. */
export interface PlantedBug extends Bug {
  readonly kinds: ReadonlyArray<Kind>
  /** The seed to begin at where it shows seldom: one that shows it, as long as nothing else changes. */
  readonly from?: number
}

export const bugs: Readonly<Record<string, PlantedBug>> = {
  "that contents are not compared": {
    kinds: ["clone"],
    file: "storage/parts/AcceptPlan.ts",
    edit: ["  stored.id === message.id &&\n", "  true ||\n"],
  },
  "that a log is gone on with where it ends, without looking at its last message": {
    kinds: ["clone"],
    file: "replication/internal/LogSync.ts",
    edit: ["yield* ahead.goOn(Math.max(localHead, 1), localHead > 0 ? 1 : 0)", "yield* ahead.goOn(localHead + 1, 0)"],
  },
  "that copies of one length are not compared": {
    kinds: ["clone"],
    file: "replication/internal/PeerSync.ts",
    edit: ["yield* this.#take(pair, false)", "continue"],
  },
  "that it is forgotten what was deleted before it came": {
    kinds: ["ordinary"],
    from: 1464,
    file: "storage/parts/AcceptPlan.ts",
    edit: ["message.deleted || state.tombstoned(message.offset) ?", "message.deleted ?"],
  },
  "that deletions are not applied": {
    kinds: ["ordinary"],
    file: "replication/internal/LogSync.ts",
    edit: ["yield* applyDeletions(this.#replica, log.origin, messages.slice(known.length))", ""],
  },
  "that a marker is stored before what it deletes is deleted": {
    kinds: ["ordinary"],
    from: 409,
    file: "replication/internal/LogSync.ts",
    edit: [
      "        yield* applyDeletions(",
      "        yield* this.#replica.acceptBlocks(log, run.first, run.blocks)\n        yield* applyDeletions(",
    ],
  },
  "that a log counts as got, also after a restart, before its messages are stored": {
    kinds: ["ordinary"],
    file: "replication/internal/PeerSync.ts",
    edit: [
      "accepted += yield* this.#take(pair, true, meanwhile)",
      `{
        const state = this.#book.log(pair.log)
        if (state?.syncedHead === pair.remoteHead && state.failures === 0) continue
        this.#book.succeeded(pair, pair.remoteHead, now)
        const undone = Effect.sync(() => this.#book.recompare(pair.log))
        accepted += yield* Effect.onError(this.#take(pair, true, meanwhile), () => undone)
      }`,
    ],
  },
  "that a node takes its own log from others": {
    kinds: ["old disk"],
    file: "replication/internal/plan.ts",
    edit: ["if (!isOwn) wanted.push(pair)", "if (!isOwn || !heals) wanted.push(pair)"],
  },
  "that lost logs are not got back": {
    kinds: ["lost disk"],
    file: "replication/internal/PeerSync.ts",
    edit: ["!(settings.heals || isNew)", "!settings.heals"],
  },
  "that subscribers are given what is not stored yet": {
    kinds: ["ordinary"],
    file: "topics/internal/JournalWriter.ts",
    edit: [
      `call("accept", acceptBlocks(store, log, from, blocks), (run) => {`,
      `call("accept", Effect.flatMap(store.heads, (heads) => {
        const head = heads.find(({ origin, topic }) => topic === log.topic && origin.device === log.origin.device)
        const fresh = replicasFrom(from, blocks).filter(({ offset }) => offset > (head?.offset ?? 0))
        const early = fresh.map((message, i) => ({ ...message, ...log, position: feed.position() + 1 + i }))
        if (early.length > 0) feed.offer(early, early[early.length - 1]!.position)
        return acceptBlocks(store, log, from, blocks)
      }), (late) => {
        const run = { ...late, count: 0 }`,
    ],
  },
  "that what a peer tells of is taken for all there is": {
    kinds: ["ordinary"],
    file: "replication/internal/asking.ts",
    edit: ["book.isTelling && failed === 0 ? settings.relistMillis", "book.isTelling && failed === 0 ? 1e9"],
  },
  "that nobody is told of copies that differ": {
    kinds: ["clone"],
    file: "replication/internal/PeerSync.ts",
    edit: ["this.#book.failed(pair, this.#sentence(pair, failure), at, failure)", ""],
  },
  "that one log whose copies differ holds up the others": {
    kinds: ["clone"],
    from: 3703,
    file: "replication/internal/PeerSync.ts",
    edit: [
      "this.#book.failed(pair, this.#sentence(pair, failure), at, failure)\n          return 0",
      "return yield* Effect.fail(failure as never)",
    ],
  },
}

/** The parts of nodes with a bug, for as long as they are used. */
export const withBug = async <A>(bug: Bug, use: (parts: Parts) => A): Promise<A> => {
  const { dispose, load } = plantIn(["domain", "access", "storage", "topics", "replication"], bug)
  try {
    const memory = (await load("storage/memory/index.ts")) as typeof Memory
    const topics = (await load("topics/index.ts")) as typeof Topics
    const replication = (await load("replication/index.ts")) as typeof Replication
    return use({ memory: memory.layer, topics: topics.layer, replication: replication.Replication.layer })
  } finally {
    dispose()
  }
}
