/**
 * How large a store's files are, and how much room is left on their disk.
 */
import { stat, statfs } from "node:fs/promises"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export interface StoreSizes {
  readonly databaseBytes: number
  /** Of the write-ahead log; 0 where there is none. */
  readonly walBytes: number
  /** What an ordinary process may still write to the disk. */
  readonly freeBytes: number
}

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

/** The sizes now; nothing where the disk cannot be asked. */
export const measure = (path: string): Effect.Effect<StoreSizes | undefined> =>
  Effect.promise(async () => {
    try {
      const [databaseBytes, walBytes, { bavail, bsize }] = await Promise.all([
        sizeOf(path),
        sizeOf(`${path}-wal`),
        statfs(dirname(path)),
      ])
      return { databaseBytes, walBytes, freeBytes: bavail * bsize }
    } catch {
      return undefined
    }
  })

/** Shows sizes as metrics. */
export const show = (sizes: StoreSizes): Effect.Effect<void> =>
  Effect.all(
    [
      Metric.update(database, sizes.databaseBytes),
      Metric.update(wal, sizes.walBytes),
      Metric.update(free, sizes.freeBytes),
    ],
    { discard: true },
  )
