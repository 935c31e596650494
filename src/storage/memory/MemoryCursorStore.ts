/**
 * Named cursors in memory. As in `MemoryLogStore`, every operation is one synchronous step.
 */
import * as Effect from "effect/Effect"
import { type CursorMove, type CursorStore, mismatchOf, sortCursors } from "../CursorStore.ts"
import type { MemoryDisk } from "./MemoryDisk.ts"

export const make = (disk: MemoryDisk): CursorStore["Service"] => ({
  claim: ({ at, filter, name, position }) =>
    Effect.suspend(() => {
      const stored = disk.cursors.get(name)
      const mismatch = stored === undefined ? undefined : mismatchOf(stored, filter)
      if (mismatch !== undefined) return Effect.fail(mismatch)
      const { origin, topics } = filter
      const claimed = {
        ...(stored ?? { name, topics, origin, position, movedAt: at }),
        epoch: ++disk.lastEpoch,
      }
      disk.cursors.set(name, claimed)
      return Effect.succeed(claimed)
    }),
  move: (moves) => Effect.sync(() => moves.map((move) => moveOne(disk, move))),
  reset: ({ at, name, position }) =>
    Effect.sync(() => {
      const stored = disk.cursors.get(name)
      if (stored === undefined) return false
      disk.cursors.set(name, { ...stored, position, movedAt: at, epoch: ++disk.lastEpoch })
      return true
    }),
  delete: (name) => Effect.sync(() => disk.cursors.delete(name)),
  cursors: Effect.sync(() => sortCursors([...disk.cursors.values()])),
})

const moveOne = (disk: MemoryDisk, { at, epoch, name, position }: CursorMove): boolean => {
  const stored = disk.cursors.get(name)
  if (stored?.epoch !== epoch) return false
  if (position > stored.position) disk.cursors.set(name, { ...stored, position, movedAt: at })
  return true
}
