/**
 * The client: looking after the store of a node elsewhere. A connection that is lost ends what was under way: it begins
 * anew when it is called again.
 */
import type { DescMessage, DescMethodServerStreaming, MessageShape } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { AccessDenied, type InvalidArgument, StorageFailed, Unavailable } from "../../../domain/errors.ts"
import { Maintenance } from "../../../storage/Maintenance.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import { fromStatus } from "../codec/errorCodec.ts"
import { MaintenanceService } from "../gen/millrace/v1/maintenance_pb.ts"
import { examinationEvent } from "./maintenanceCodec.ts"
import { nextOf } from "../client/nextAnswer.ts"

export interface GrpcMaintenanceOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
}

const receiveBytesMax = 4 * 1024 * 1024

/** The store of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerMaintenance = ({
  tls,
  token,
  url,
}: GrpcMaintenanceOptions): Layer.Layer<Maintenance, InvalidArgument> =>
  Layer.effect(
    Maintenance,
    Effect.gen(function* () {
      const { method } = MaintenanceService
      const connection = yield* Connection.make({ url, tls, token, receiveBytesMax, timeoutMillis: 30_000 })

      /** All answers of a call, which is read no faster than they are taken. */
      const answersOf = <I extends DescMessage, O extends DescMessage>(
        method: DescMethodServerStreaming<I, O>,
        request: MessageShape<I>,
      ): Stream.Stream<MessageShape<O>, AccessDenied | StorageFailed | Unavailable> =>
        Stream.unwrap(
          Effect.gen(function* () {
            const { call } = yield* Effect.acquireRelease(
              Effect.sync(() => connection.openStream(method, request)),
              ({ call }) => Effect.sync(() => call.cancel()),
            )
            const next = nextOf(call)
            return Stream.unfold(
              undefined,
              Effect.fnUntraced(function* () {
                const answered = yield* next
                if ("answer" in answered) return [answered.answer, undefined] as const
                const { failure } = answered
                if (failure === undefined) return undefined
                const error = fromStatus(failure)
                if (error instanceof StorageFailed || error instanceof Unavailable || error instanceof AccessDenied) {
                  return yield* error
                }
                return yield* new Unavailable({ message: error?.message ?? Connection.noAnswer(url, failure) })
              }),
            )
          }),
        )

      return Maintenance.of({
        examine: Stream.suspend(() => answersOf(method.examine, { $typeName: "millrace.v1.ExamineRequest" })).pipe(
          Stream.map(examinationEvent),
          Stream.filter(Option.isSome),
          Stream.map(({ value }) => value),
        ),
        backup: Stream.suspend(() => answersOf(method.backup, { $typeName: "millrace.v1.BackupRequest" })).pipe(
          Stream.map(({ bytes, totalBytes }) => ({ bytes, totalBytes: Number(totalBytes) })),
        ),
      })
    }),
  )
