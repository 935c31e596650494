/**
 * Keeps this node's store up to date with its peers: it gets from each, at intervals, what that has and this node has
 * not, and passes it on to subscribers here. So the logs of all nodes come to all, also by way of others.
 *
 * Each peer is asked on its own: one that does not answer delays no other.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Replica } from "../topics/index.ts"
import { PeerSync } from "./internal/PeerSync.ts"
import { SyncStates } from "./internal/SyncStates.ts"
import type { Peer } from "./Peer.ts"
import { defaultPeerSettings, type PeerSettings } from "./PeerSettings.ts"
import type { SyncState } from "./SyncState.ts"

export interface PeerLink {
  readonly peer: Peer
  readonly settings?: Partial<PeerSettings> | undefined
}

export class Replication extends Context.Service<
  Replication,
  {
    /** How far this node is with each log of each peer, since it started. */
    readonly states: Effect.Effect<ReadonlyArray<SyncState>>
  }
>()("millrace/replication/Replication") {
  /** Asks peers for as long as the scope is open. */
  static readonly layer = (links: ReadonlyArray<PeerLink>): Layer.Layer<Replication, never, Replica> =>
    Layer.effect(
      Replication,
      Effect.gen(function* () {
        const replica = yield* Replica
        const states = new SyncStates()
        for (const { peer, settings: given } of links) {
          const settings = { ...defaultPeerSettings, ...given }
          const sync = new PeerSync(peer, replica, settings, states)
          yield* Effect.forkScoped(asking(peer.name, sync, settings))
        }
        return Replication.of({ states: Effect.sync(() => states.list()) })
      }),
    )
}

/** Pass after pass, further apart the longer nothing goes well. Says so once when a peer fails, and when it is well again. */
const asking = (name: string, sync: PeerSync, settings: PeerSettings): Effect.Effect<never> =>
  Effect.gen(function* () {
    let failures = 0
    let said: string | undefined
    while (true) {
      // What nobody expected is told too, and the peer is asked again.
      const expected = Effect.catchDefect(sync.pass, (defect) =>
        Effect.fail(new Error(`unexpectedly: ${String(defect)}`)),
      )
      const pass = yield* Effect.result(expected)
      const problem =
        pass._tag === "Failure"
          ? pass.failure.message
          : pass.success.failed > 0
            ? `${pass.success.failed} of its logs cannot be taken`
            : undefined
      if (problem !== said) {
        yield* problem === undefined
          ? Effect.logInfo(`in step with the peer ${name} again`)
          : Effect.logWarning(`not in step with the peer ${name}: ${problem}`)
        said = problem
      }
      failures = pass._tag === "Failure" ? failures + 1 : 0
      yield* Effect.sleep(Math.min(settings.intervalMillis * 2 ** Math.min(failures, 10), settings.backoffMillisMax))
    }
  })
