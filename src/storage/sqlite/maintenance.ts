/**
 * Looking after the store in a SQLite file that a node may be running on, without holding up its event loop: the
 * examination has a thread of its own, and pages are copied by SQLite in another. What does the work is loaded when it is
 * called: a node that starts has no use for it.
 */
import { Worker } from "node:worker_threads"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { StorageFailed, type StoreUnusable } from "../../domain/errors.ts"
import type { ExaminationEvent } from "../Examination.ts"
import { Maintenance } from "../Maintenance.ts"
import type { BackupOptions } from "./backup.ts"

/** What the thread says. */
export type ThreadMessage =
  | { readonly type: "events"; readonly events: ReadonlyArray<ExaminationEvent> }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "done" }

const threadFile = import.meta.url.endsWith(".ts") ? "./examineThread.ts" : "./examineThread.js"

const failed = (message: string): StorageFailed => new StorageFailed({ operation: "examine", message })

/** Examines a store in a thread, which ends with the stream. */
const examineInThread = (path: string): Stream.Stream<ExaminationEvent, StorageFailed> =>
  Stream.callback<ExaminationEvent, StorageFailed>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const worker = new Worker(new URL(threadFile, import.meta.url), {
          name: "millrace-examination",
          workerData: { path },
        })
        const fail = (message: string) => void Queue.failCauseUnsafe(queue, Cause.fail(failed(message)))
        worker.on("message", (message: ThreadMessage) => {
          if (message.type === "events") Queue.offerAllUnsafe(queue, message.events)
          else if (message.type === "failed") fail(message.message)
          else Queue.endUnsafe(queue)
        })
        worker.on("error", (error) => fail(`the examination failed: ${String(error)}`))
        worker.on("exit", () => fail("the examination ended before its end"))
        return worker
      }),
      (worker) => Effect.promise(() => worker.terminate()),
    ),
  )

/** Looks at the store of a file, on the calling thread. Fails where there is no such file, or where it cannot be read. */
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

/** Looks after the store in a file, beside whoever has it open. */
export const layerMaintenance = ({ path }: { readonly path: string }): Layer.Layer<Maintenance> =>
  Layer.succeed(
    Maintenance,
    Maintenance.of({
      examine: examineInThread(path),
      backup: Stream.unwrap(
        Effect.map(
          Effect.promise(() => import("./backup.ts")),
          (module) => module.backupStream(path),
        ),
      ),
    }),
  )
