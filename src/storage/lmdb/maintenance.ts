/**
 * Looking after the store in a directory that a node may be running on, without holding up its event loop. What does the
 * work is loaded when it is called: a node that starts has no use for it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { StorageFailed, type StoreUnusable } from "../../domain/errors.ts"
import type { ExaminationEvent } from "../Examination.ts"
import { Maintenance } from "../Maintenance.ts"
import type { BackupOptions } from "./backup.ts"

/** Looks at the store of a directory, in a process of its own. Fails where there is none, or where it cannot be read. */
export const examine = (path: string): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.unwrap(
    Effect.map(
      Effect.promise(() => import("./examine.ts")),
      (module) => module.examine(path),
    ),
  )

/** Writes a backup of a store to a file. Gives how many bytes it has. */
export const backup = (options: BackupOptions): Effect.Effect<number, StorageFailed> =>
  Effect.flatMap(
    Effect.promise(() => import("./backup.ts")),
    (module) => module.backup(options),
  )

/** Looks after the store in a directory, beside whoever has it open. */
export const layerMaintenance = ({ path }: { readonly path: string }): Layer.Layer<Maintenance> =>
  Layer.succeed(
    Maintenance,
    Maintenance.of({
      examine: Stream.mapError(examine(path), ({ message }) => new StorageFailed({ operation: "examine", message })),
      backup: Stream.unwrap(
        Effect.map(
          Effect.promise(() => import("./backup.ts")),
          (module) => module.backupStream(path),
        ),
      ),
    }),
  )
