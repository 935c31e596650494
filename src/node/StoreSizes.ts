/**
 * How large a store is, and how much room is left on its disk.
 */
import { stat, statfs } from "node:fs/promises"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { StoreSizes } from "../stats/Stats.ts"

const fileBytes = Metric.gauge("millrace_store_file_bytes", { description: "Size of the store's files" })
const database = Metric.withAttributes(fileBytes, { file: "database" })
const wal = Metric.withAttributes(fileBytes, { file: "wal" })
const free = Metric.gauge("millrace_disk_free_bytes", { description: "Room on the disk that the store is on" })

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    // A file that is not there takes no room; that it should be there is for readiness to say.
    () => 0,
  )

/**
 * The sizes of a database's file, and of its write-ahead log where it has one; nothing where the disk cannot be asked.
 */
export const ofFile = (path: string, walPath: string | undefined): Effect.Effect<StoreSizes | undefined> =>
  Effect.promise(async () => {
    try {
      const [databaseBytes, walBytes, { bavail, bsize }] = await Promise.all([
        sizeOf(path),
        walPath === undefined ? undefined : sizeOf(walPath),
        statfs(dirname(path)),
      ])
      return { databaseBytes, walBytes, freeBytes: bavail * bsize }
    } catch {
      return undefined
    }
  })

/** Shows sizes as metrics. */
export const show = ({ databaseBytes, freeBytes, walBytes }: StoreSizes): Effect.Effect<void> =>
  Effect.all(
    [
      Metric.update(database, databaseBytes),
      ...(walBytes === undefined ? [] : [Metric.update(wal, walBytes)]),
      ...(freeBytes === undefined ? [] : [Metric.update(free, freeBytes)]),
    ],
    { discard: true },
  )
