/**
 * A peer at a URL, whatever it speaks: `millrace.v1` where it does, else `msgbus.v1`. What it speaks is found out when it
 * is asked who it is, and anew on each connection: it may have been exchanged for another in the meantime.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../../../domain/errors.ts"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { Peer, PeerUnreachable } from "../../../replication/index.ts"
import { overMsgbus } from "../msgbus/msgbusPeer.ts"
import * as PeerConnection from "./PeerConnection.ts"
import type { Spoken } from "./Spoken.ts"
import { type NotServed, overSync } from "./syncPeer.ts"

/** Connects when it is asked for the first time, and again whenever that is needed. */
export const makePeer = Effect.fnUntraced(function* (
  options: PeerConnection.PeerOptions,
): Effect.fn.Return<Peer, InvalidArgument, Scope.Scope> {
  /** What is spoken on the connection that there is now, as far as that is known. */
  let spoken: Spoken<NotServed> | Spoken | undefined
  const connection = yield* PeerConnection.make(options, () => {
    spoken = undefined
  })
  const [sync, msgbus] = [overSync(connection), overMsgbus(connection)]

  const identity: Effect.Effect<NodeId, PeerUnreachable> = Effect.suspend(() => {
    if (spoken === msgbus) return msgbus.identity
    return sync.identity.pipe(
      Effect.tap(() => Effect.sync(() => (spoken = sync))),
      Effect.catchTag("NotServed", () =>
        Effect.suspend(() => {
          spoken = msgbus
          return msgbus.identity
        }),
      ),
    )
  })

  const known: Effect.Effect<Omit<Spoken, "identity">, PeerUnreachable> = Effect.suspend(() =>
    spoken === undefined ? Effect.map(identity, () => spoken ?? msgbus) : Effect.succeed(spoken),
  )

  return {
    name: options.url,
    identity,
    heads: Effect.flatMap(known, ({ heads }) => heads),
    fetch: (log, from, limit) => Effect.flatMap(known, ({ fetch }) => fetch(log, from, limit)),
    fetchMax: () => spoken?.fetchMax,
    moved: Stream.unwrap(Effect.map(known, ({ moved }) => moved)),
  }
})
