/**
 * Keeps this node's store up to date with its peers: it gets from each what that has and this node has not, as soon as
 * it is told or at intervals, and passes it on to subscribers here. So the logs of all nodes come to all, also by way of
 * others.
 *
 * Each peer is asked on its own: one that does not answer delays no other.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StorageFailed } from "../domain/errors.ts"
import type { LogId } from "../domain/LogId.ts"
import { RecordStore } from "../storage/RecordStore.ts"
import { Replica } from "../topics/index.ts"
import { type Asking, asking } from "./internal/asking.ts"
import { passDeletedEnds } from "./internal/deletedEnds.ts"
import { PeerBook } from "./internal/PeerBook.ts"
import { PeerSync } from "./internal/PeerSync.ts"
import { resolve, type ResolveFailure } from "./internal/resolving.ts"
import { restore, saving } from "./internal/saving.ts"
import type { Peer } from "./Peer.ts"
import { defaultPeerSettings, type PeerSettings } from "./PeerSettings.ts"
import type { PeerState } from "./PeerState.ts"
import type { Keep, Resolution } from "./Resolution.ts"
import type { SyncState } from "./SyncState.ts"

export interface PeerLink {
  readonly peer: Peer
  readonly settings?: Partial<PeerSettings> | undefined
}

export interface ReplicationOptions {
  /** How long to wait for peers that may have more of this node's own logs than it has itself; by default 2 seconds. */
  readonly healWait?: Duration.Input | undefined
}

export class Replication extends Context.Service<
  Replication,
  {
    /** How it stands with each peer. */
    readonly peers: Effect.Effect<ReadonlyArray<PeerState>>
    /** How far this node is with each log of each peer. */
    readonly states: Effect.Effect<ReadonlyArray<SyncState>>
    /**
     * Decides about a log whose copies differ. `local`: what is here is right, and is no alarm any more. `peer`: the peer's
     * is; what is here is taken away from the first message on that differs, and the peer's is taken. A peer has to be named
     * where the log differs from the copies of several.
     */
    readonly resolve: (log: LogId, keep: Keep, peer?: string) => Effect.Effect<Resolution, ResolveFailure>
    /**
     * Succeeds when this node's own logs have been filled from the peers, where they have to be, or the time for it is over.
     * Whoever publishes before may give an offset a second time.
     */
    readonly recovered: Effect.Effect<void>
  }
>()("millrace/replication/Replication") {
  /** Asks peers for as long as the scope is open. */
  static readonly layer = (
    links: ReadonlyArray<PeerLink>,
    options: ReplicationOptions = {},
  ): Layer.Layer<Replication, StorageFailed, Replica | RecordStore> =>
    Layer.effect(
      Replication,
      Effect.gen(function* () {
        const replica = yield* Replica
        const records = yield* RecordStore
        const books: Array<PeerBook> = []
        const onChange = yield* saving(records, books)
        for (const { peer } of links) books.push(new PeerBook(peer.name, onChange))
        yield* restore(records, books)
        const asked = links.map(({ peer, settings: given }, i): Asking => {
          const settings = { ...defaultPeerSettings, ...given }
          const book = books[i]!
          return { peer, settings, book, sync: new PeerSync(peer, replica, settings, book) }
        })
        for (const one of asked) yield* Effect.forkScoped(asking(one))
        const recovered = yield* recovering(asked, replica, options.healWait ?? "2 seconds")
        return Replication.of({
          peers: Effect.sync(() => asked.map(({ book }) => book.state())),
          states: Effect.sync(() => asked.flatMap(({ book }) => book.logs())),
          resolve: (log, keep, peer) => resolve(asked, replica, log, keep, peer),
          recovered,
        })
      }),
    )
}

/** Waits for this node's own logs, where there are peers that may have more of them; gives who waits for that. */
const recovering = (
  asked: ReadonlyArray<Asking>,
  replica: Replica["Service"],
  atMost: Duration.Input,
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (asked.every(({ sync }) => sync.isHealed)) return Effect.void
    const recovered = yield* Deferred.make<void>()
    const all = Effect.forEach(asked, ({ sync }) => sync.healed, { concurrency: "unbounded", discard: true })
    const ended = passDeletedEnds(replica).pipe(
      Effect.catchCause((cause) =>
        Effect.logError("this node's own logs could not be made to end behind what is deleted of them", cause),
      ),
    )
    yield* Effect.timeoutOption(all, atMost).pipe(
      Effect.andThen(ended),
      // Whatever became of it: nobody is to wait for ever.
      Effect.ensuring(Deferred.succeed(recovered, undefined)),
      Effect.forkScoped,
    )
    return Deferred.await(recovered)
  })
