/**
 * Who holds a queue or a named cursor, where several nodes share one store. A store that one process has to itself needs
 * to know nothing of it (`alone`): in a process its services see to it that there is one holder.
 *
 * A hold lives as long as its scope, and no longer than its node is in touch with the store: after that others may hold
 * what it held. It is a courtesy among those who work well, so that work is not done twice. What must not happen is
 * prevented where it is written: by the front of a queue, by a cursor's epoch.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StorageFailed } from "../domain/errors.ts"
import type { NodeId } from "../domain/NodeId.ts"

export interface Held {
  readonly kind: "queue" | "cursor"
  readonly name: string
}

export interface Hold {
  /** Succeeds, with why, when it is held no more, though its scope is open. */
  readonly lost: Effect.Effect<string>
}

/** Whether it is held now, and not by the node that is given instead. */
export const isHold = (held: Hold | NodeId): held is Hold => "lost" in held

export class Holders extends Context.Service<
  Holders,
  {
    /**
     * Holds it for the life of the scope. Gives the node that holds it, if another one does, unless it is to be taken
     * over: then that node's hold is lost. A node is not in its own way.
     */
    readonly hold: (held: Held, takeOver: boolean) => Effect.Effect<Hold | NodeId, StorageFailed, Scope.Scope>

    /** What other nodes hold now, of one kind: its names, and the node of each. */
    readonly elsewhere: (kind: Held["kind"]) => Effect.Effect<ReadonlyMap<string, NodeId>, StorageFailed>
  }
>()("millrace/storage/Holders") {}

/** Of a store that nobody else uses: everything can be held. */
export const alone: Holders["Service"] = {
  hold: () => Effect.succeed({ lost: Effect.never }),
  elsewhere: () => Effect.succeed(new Map()),
}
