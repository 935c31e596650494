/** Ending the quarantine of a log, as somebody has decided. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as LogId from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { Replica } from "../../topics/index.ts"
import { NotResolvable, type PeerRefused } from "../errors.ts"
import type { PeerUnreachable } from "../Peer.ts"
import type { Keep, Resolution } from "../Resolution.ts"
import { passDeletedEnds } from "./deletedEnds.ts"
import type { LocalFailure, LogProblem } from "./LogSync.ts"
import type { PeerBook } from "./PeerBook.ts"
import type { PeerSync } from "./PeerSync.ts"

/** A peer whose logs can be decided about. */
export interface Resolvable {
  readonly sync: PeerSync
  readonly book: PeerBook
}

export type ResolveFailure = NotResolvable | PeerUnreachable | PeerRefused | LogProblem | LocalFailure

/** The peers that a log is in conflict with, of those that are meant. */
const concerned = (
  all: ReadonlyArray<Resolvable>,
  log: LogId.LogId,
  named: string | undefined,
): Effect.Effect<ReadonlyArray<Resolvable>, NotResolvable> => {
  const meant = named === undefined ? all : all.filter(({ book }) => book.peer === named)
  const found = meant.filter(({ book }) => book.log(log)?.quarantine !== undefined)
  if (found.length > 0) return Effect.succeed(found)
  const { reason, message } =
    named !== undefined && meant.length === 0
      ? { reason: "no such peer" as const, message: `this node has no peer ${named}` }
      : {
          reason: "not quarantined" as const,
          message: `the log ${LogId.format(log)} is not quarantined: nothing is to be decided about it`,
        }
  return Effect.fail(new NotResolvable({ reason, message }))
}

const keepLocal = (
  found: ReadonlyArray<Resolvable>,
  log: LogId.LogId,
  replica: Replica["Service"],
): Effect.Effect<Resolution, LocalFailure> =>
  Effect.map(replica.head(log), (head) => {
    for (const { book } of found) book.keepLocal(log)
    const peers = found.map(({ book }) => book.peer)
    return { log, peers, keep: "local", differedFrom: undefined, discarded: 0, accepted: 0, head }
  })

/** Takes the peer's copy, from the first message on that differs. Nothing is taken away before the peer has been compared. */
const keepPeer = (
  { book, sync }: Resolvable,
  log: LogId.LogId,
  replica: Replica["Service"],
): Effect.Effect<Resolution, ResolveFailure> =>
  Effect.andThen(
    sync.identified,
    sync.withLogs((logs) =>
      Effect.gen(function* () {
        const remoteHead = yield* sync.headOf(log)
        const localHead = yield* replica.head(log)
        const differedFrom = yield* logs.firstDifference(log, Math.min(localHead, remoteHead))
        // Should it break off from here on, the next pass gets what is missing, also of a log of this node's own.
        if (NodeId.equals(log.origin, replica.node)) sync.healAgain()
        if (differedFrom !== undefined) yield* replica.discard(log, differedFrom)
        const kept = differedFrom === undefined ? localHead : differedFrom - 1
        const pair = { log, localHead: kept, remoteHead }
        const accepted = remoteHead > kept ? yield* logs.get(pair, (head, n) => book.progressed(pair, head, n)) : 0
        book.succeeded(pair, remoteHead, yield* Clock.currentTimeMillis)
        if (NodeId.equals(log.origin, replica.node)) yield* passDeletedEnds(replica)
        const head = yield* replica.head(log)
        const discarded = localHead - kept
        return { log, peers: [book.peer], keep: "peer", differedFrom, discarded, accepted, head } satisfies Resolution
      }),
    ),
  )

export const resolve = (
  all: ReadonlyArray<Resolvable>,
  replica: Replica["Service"],
  log: LogId.LogId,
  keep: Keep,
  named: string | undefined,
): Effect.Effect<Resolution, ResolveFailure> =>
  Effect.gen(function* () {
    const found = yield* concerned(all, log, named)
    if (keep === "local") return yield* keepLocal(found, log, replica)
    const [first, ...others] = found
    if (others.length > 0) {
      const names = found.map(({ book }) => book.peer).join(", ")
      const message = `the log ${LogId.format(log)} differs from the copies of several peers: name one of ${names}`
      return yield* new NotResolvable({ reason: "several peers", message })
    }
    const resolution = yield* keepPeer(first!, log, replica)
    // What is here now is not what the others were compared with.
    for (const { book } of all) if (book !== first!.book) book.recompare(log)
    return resolution
  })
