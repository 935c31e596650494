/**
 * The client: how a node elsewhere stands with its peers.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../../../domain/errors.ts"
import { SyncControl } from "../../../replication/index.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import * as codec from "../codec/codec.ts"
import { ReplicationService } from "../gen/millrace/v1/replication_pb.ts"
import { only } from "../server/answers.ts"
import { requestOf, resolution, statusEvent } from "./replicationCodec.ts"

export interface GrpcSyncOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** How long an answer may take; by default 30 seconds: to resolve a conflict, a node has to ask its peer. */
  readonly timeout?: Duration.Input | undefined
}

/** The syncing of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerSync = ({ timeout, tls, token, url }: GrpcSyncOptions): Layer.Layer<SyncControl, InvalidArgument> =>
  Layer.effect(
    SyncControl,
    Effect.gen(function* () {
      const { method } = ReplicationService
      const connection = yield* Connection.make({
        url,
        token,
        tls,
        receiveBytesMax: 4 * 1024 * 1024,
        timeoutMillis: Duration.toMillis(timeout ?? "30 seconds"),
      })
      return SyncControl.of({
        status: (wanted) =>
          Stream.unwrap(
            Effect.map(readable(connection.readAll(method.getStatus, requestOf(wanted))), (answers) =>
              Stream.fromIterable(answers.map(statusEvent).flatMap(Option.toArray)),
            ),
          ),
        resolve: (log, keep, peer) =>
          connection
            .write(method.resolve, {
              $typeName: "millrace.v1.ResolveRequest",
              log: { $typeName: "millrace.v1.Log", topic: log.topic, origin: codec.nodeMessage(log.origin) },
              keep,
              ...(peer === undefined ? {} : { peer }),
            })
            .pipe(
              resolvable,
              Effect.map((answer) => resolution(log, keep, answer)),
            ),
      })
    }),
  )

const readable = only("InvalidArgument")

const resolvable = only(
  "InvalidArgument",
  "NotResolvable",
  "OffsetConflict",
  "OffsetGap",
  "PeerMisbehaved",
  "PeerRefused",
  "PeerUnreachable",
  "StorageFailed",
  "StorageFull",
  "OutcomeUnknown",
)
