/**
 * Keeping up with one peer for as long as the node runs: a whole pass, then what the peer tells of as it moves, then a whole
 * pass again; at intervals where it tells nothing. When it is gone it is tried again soon, when it is refused less and
 * less often.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Peer, PeerUnreachable } from "../Peer.ts"
import type { PeerSettings } from "../PeerSettings.ts"
import { backoffMillis } from "./backoff.ts"
import { Moves } from "./Moves.ts"
import type { PeerBook } from "./PeerBook.ts"
import type { PassFailure, PassResult, PeerSync } from "./PeerSync.ts"

/** The first wait for a peer that is not there. */
const firstRetryMillis = 100

/** After so many watches in a row that ended before they had told anything, a peer is only asked for a while. */
const vainWatchesMax = 3

export interface Asking {
  readonly peer: Peer
  readonly sync: PeerSync
  readonly book: PeerBook
  readonly settings: PeerSettings
}

/** Tells once that something is wrong with a peer, and once that it is well again. */
const makeNotice = (name: string) => {
  let told: string | undefined
  return (problem: string | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (problem === told) return Effect.void
      told = problem
      return problem === undefined
        ? Effect.logInfo(`in step with the peer ${name} again`)
        : Effect.logWarning(`not in step with the peer ${name}: ${problem}`)
    })
}

const problemOf = ({ failed, problem = "unknown" }: PassResult): string | undefined =>
  failed === 0 ? undefined : failed === 1 ? problem : `${failed} of its logs cannot be taken, the first: ${problem}`

/** What there is to do about copies that differ. */
const decision =
  " (millrace sync status says which copies differ, and millrace doctor resolve decides which one is right)"

export const asking = ({ book, peer, settings, sync }: Asking): Effect.Effect<never> => {
  const tell = makeNotice(peer.name)
  let failures = 0
  let vainWatches = 0

  /** Until the peer is to be looked at as a whole again. */
  const pauseMillis = ({ failed }: PassResult): number =>
    book.isTelling && failed === 0 ? settings.relistMillis : settings.intervalMillis

  /** Does what the peer tells of, until it is time for a whole pass. */
  const following = (moves: Moves, until: number): Effect.Effect<void, PassFailure> =>
    Effect.gen(function* () {
      let end = until
      while (true) {
        const left = end - (yield* Clock.currentTimeMillis)
        if (left <= 0) return
        const heads = yield* Effect.timeoutOption(moves.take, left)
        if (heads._tag === "None" || heads.value === undefined) return
        const { failed } = yield* sync.part(heads.value)
        // It is told by a whole pass what is wrong, and that comes soon; until then all other logs go on.
        if (failed > 0) end = Math.min(end, (yield* Clock.currentTimeMillis) + settings.intervalMillis)
      }
    })

  const listening = (moves: Moves): Effect.Effect<never, PeerUnreachable> =>
    Effect.andThen(
      Stream.runForEach(peer.moved, (heads) =>
        Effect.sync(() => {
          const isFirst = !book.isTelling
          book.telling(true)
          vainWatches = 0
          // What moved between the last look and now is not told.
          if (isFirst) moves.wantWhole()
          else moves.add(heads)
        }),
      ),
      Effect.never,
    ).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          if (book.isIdentified && !book.isTelling) vainWatches++
        }),
      ),
    )

  const working = (moves: Moves): Effect.Effect<never, PassFailure> =>
    Effect.gen(function* () {
      while (true) {
        const result = yield* sync.pass
        failures = 0
        const problem = problemOf(result)
        yield* tell(problem !== undefined && book.state().logsQuarantined > 0 ? `${problem}${decision}` : problem)
        yield* following(moves, (yield* Clock.currentTimeMillis) + pauseMillis(result))
      }
    })

  /** For as long as the peer is there, and is who it should be. */
  const session: Effect.Effect<never, PassFailure> = Effect.suspend(() => {
    const moves = new Moves(settings.logsMax)
    sync.hear(moves)
    book.connected()
    if (vainWatches < vainWatchesMax) return Effect.raceFirst(working(moves), listening(moves))
    vainWatches = 0
    return Effect.timeoutOrElse(working(moves), {
      duration: settings.relistMillis,
      orElse: () => Effect.suspend(() => session),
    })
  }).pipe(Effect.ensuring(Effect.sync(() => book.telling(false))))

  return Effect.gen(function* () {
    while (true) {
      // What nobody expected is told too, and the peer is asked again.
      const ended = yield* Effect.result(
        Effect.catchDefect(session, (defect) => Effect.fail(new Error(`unexpectedly: ${String(defect)}`))),
      )
      if (ended._tag === "Success") continue
      const { failure } = ended
      failures++
      const isRefused = "_tag" in failure && failure._tag === "PeerRefused"
      book.broke(failure.message, yield* Clock.currentTimeMillis, isRefused)
      yield* tell(failure.message)
      const { backoffMillisMax, intervalMillis, retryMillisMax } = settings
      const isGone = "_tag" in failure && failure._tag === "PeerUnreachable"
      yield* Effect.sleep(
        isGone
          ? backoffMillis(failures, firstRetryMillis, retryMillisMax)
          : backoffMillis(failures, intervalMillis, backoffMillisMax),
      )
    }
  })
}
