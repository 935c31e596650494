/** The peers of a node as configured, from which it gets what it has not. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageFailed } from "../domain/errors.ts"
import { Readiness } from "../readiness/index.ts"
import { conflicts, failures, type PeerLink, Replication } from "../replication/index.ts"
import type { RecordStore } from "../storage/RecordStore.ts"
import type { Replica } from "../topics/index.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { isSecure } from "./PeerSetting.ts"
import { TlsFiles } from "./TlsFiles.ts"

/** What somebody should look at is remarked to whoever asks whether the node is ready. */
const remarking = Layer.effectDiscard(
  Effect.gen(function* () {
    const { peers } = yield* Replication
    const readiness = yield* Readiness
    yield* readiness.remark(Effect.map(peers, (states) => [...failures(states), ...conflicts(states)]))
  }),
)

export const layer = (
  config: NodeConfig,
): Layer.Layer<Replication, StorageFailed, Replica | RecordStore | TlsFiles | Readiness> =>
  Layer.provideMerge(remarking, replication(config))

const replication = (config: NodeConfig): Layer.Layer<Replication, StorageFailed, Replica | RecordStore | TlsFiles> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const links: Array<PeerLink> = []
      const files = yield* TlsFiles
      if (config.peer.length > 0) {
        const { makePeer } = yield* Effect.promise(() => import("../protocol/grpc/index.ts"))
        for (const peer of config.peer) {
          const { url, identity, origins } = peer
          const settings = {
            identity,
            origins,
            batch: config["sync-batch"],
            intervalMillis: Duration.toMillis(config["sync-interval"]),
            messageBytesMax: config["max-message"],
            heals: config.heal,
          }
          const tls = isSecure(peer) ? files.dial : undefined
          // The configuration has no URL that is none.
          links.push({ peer: yield* Effect.orDie(makePeer({ url, tls })), settings })
        }
      }
      return Replication.layer(links, { healWait: config["heal-wait"] })
    }),
  )
