/**
 * Files beside a store that are only there while a backup is taken, and may be left behind by the death of its process.
 */
import { randomUUID } from "node:crypto"
import { readdirSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"

/** A name that nobody would give to a backup of their own. */
export const unfinished = (path: string): string => `${path}-${randomUUID()}.unfinished`
const isUnfinished = /-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.unfinished(?:-journal|-wal|-shm)?$/

/** Removes what backups left behind whose process died. Only the holder of the store may know that nobody is at it. */
export const removeLeftovers = (path: string): void => {
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(`${basename(path)}-`) && isUnfinished.test(name))
      rmSync(join(dirname(path), name), { force: true })
  }
}
