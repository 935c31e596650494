/**
 * Whether a node can do its work now, and if not, why and since when.
 *
 * It is said from progress, not from existence: a commit that is under way for too long, a store that does not answer
 * or refuses to write, an event loop that is held up make a node not ready; it is ready again when that is over.
 * Whoever tells others of a node (the admin endpoint, gRPC) asks here.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Unavailable } from "../domain/errors.ts"

export interface ReadinessState {
  readonly ready: boolean
  readonly status: "READY" | "NOT_READY"
  /** Why it is not ready, as a sentence without its full stop; empty where it is. It stays the same while the reason does. */
  readonly error: string
  /** Since when it is so, in milliseconds since 1970: when the trouble began, or when it ended. */
  readonly since: number
}

export class Readiness extends Context.Service<
  Readiness,
  {
    /** How it stands. Has a look at the store, and answers within half a second in any case. */
    readonly current: Effect.Effect<ReadinessState>
    /** How it stood when last looked at, without looking. */
    readonly known: () => ReadinessState
    /** How it stands, and then every change, as it is noticed. Does not end. */
    readonly changes: Stream.Stream<ReadinessState>
    /** Succeeds where the node is ready: `current` as an error. */
    readonly check: Effect.Effect<void, Unavailable>
    /** Makes the node not ready for a reason of its owner's, such as "stopping", until it is called with `undefined`. */
    readonly hold: (reason: string | undefined) => Effect.Effect<void>
    /**
     * Takes remarks of somebody's for as long as the scope is open: what does not keep the node from its work, and somebody
     * should look at. They are asked for when somebody wants to know, and are sentences without their full stop.
     */
    readonly remark: (remarks: Effect.Effect<ReadonlyArray<string>>) => Effect.Effect<void, never, Scope.Scope>
    /** What there is to remark now. */
    readonly remarks: Effect.Effect<ReadonlyArray<string>>
  }
>()("millrace/readiness/Readiness") {}

/** For people, on one line: `READY`, or `NOT_READY` with the reason and the time. */
export const sentence = ({ ready, status, error, since }: ReadinessState): string =>
  ready ? status : `${status} ${error} (since ${new Date(since).toISOString()})`
