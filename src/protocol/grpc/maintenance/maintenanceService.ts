/**
 * `millrace.v1.MaintenanceService` over the service `Maintenance`. Where the store is in memory there is none, and the
 * answer says so.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { check } from "../../../access/denied.ts"
import { StorageFailed } from "../../../domain/errors.ts"
import type { Maintenance } from "../../../storage/Maintenance.ts"
import { MaintenanceService } from "../gen/millrace/v1/maintenance_pb.ts"
import { examineResponse } from "./maintenanceCodec.ts"
import type { Sessions } from "../server/session.ts"

/** About what an answer takes that is not the bytes of a backup. */
const eventBytes = 256

export const register = (sessions: Sessions, maintenance: Option.Option<Maintenance["Service"]>): void => {
  const { method } = MaintenanceService

  const maintenanceFor = (operation: string): Effect.Effect<Maintenance["Service"], StorageFailed> =>
    Option.match(maintenance, {
      onSome: Effect.succeed,
      onNone: () =>
        Effect.fail(new StorageFailed({ operation, message: "the node keeps its store in memory: there is no file" })),
    })

  sessions.serverStream(
    method.examine,
    { weigh: () => eventBytes, endless: true },
    Effect.fnUntraced(function* (_, outlet, permissions) {
      yield* check(permissions, "admin", "examine")
      const { examine } = yield* maintenanceFor("examine")
      yield* Stream.runForEachArray(examine, (events) => outlet.send(events.map(examineResponse)))
    }),
  )

  sessions.serverStream(
    method.backup,
    { weigh: ({ bytes }) => bytes.byteLength + eventBytes, endless: true },
    Effect.fnUntraced(function* (_, outlet, permissions) {
      yield* check(permissions, "admin", "backup")
      const { backup } = yield* maintenanceFor("backup")
      yield* Stream.runForEachArray(backup, (pieces) =>
        outlet.send(
          pieces.map(({ bytes, totalBytes }) => ({
            $typeName: "millrace.v1.BackupResponse",
            totalBytes: BigInt(totalBytes),
            bytes,
          })),
        ),
      )
    }),
  )
}
