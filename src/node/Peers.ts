/** The peers of a node as configured, from which it gets what it has not. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidArgument } from "../domain/errors.ts"
import { type PeerLink, Replication } from "../replication/index.ts"
import type { Replica } from "../topics/index.ts"
import type { NodeConfig } from "./NodeConfig.ts"

export const layer = (config: NodeConfig): Layer.Layer<Replication, InvalidArgument, Replica> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const links: Array<PeerLink> = []
      if (config.peer.length > 0) {
        const { makePeer } = yield* Effect.promise(() => import("../protocol/grpc/index.ts"))
        for (const { url, identity, origins } of config.peer) {
          const settings = {
            identity,
            origins,
            batch: config["sync-batch"],
            intervalMillis: Duration.toMillis(config["sync-interval"]),
            messageBytesMax: config["max-message"],
          }
          links.push({ peer: yield* makePeer({ url }), settings })
        }
      }
      return Replication.layer(links)
    }),
  )
