/**
 * What named cursors should do, said as simply as possible: one record for each name, and a counter of epochs.
 */
import type { CursorClaim, CursorMove, CursorReset, StoredCursor } from "../../storage/CursorStore.ts"

export class CursorModel {
  private readonly byName = new Map<string, StoredCursor>()

  get cursors(): ReadonlyArray<StoredCursor> {
    return [...this.byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(name: string): StoredCursor | undefined {
    return this.byName.get(name)
  }

  /** Whether the cursor can be claimed for these messages. */
  fits({ filter, name }: CursorClaim): boolean {
    const stored = this.find(name)
    return (
      stored === undefined ||
      JSON.stringify([stored.topics, stored.origin]) === JSON.stringify([filter.topics, filter.origin])
    )
  }

  /** Claims it; which epoch that gives is the store's to choose, as long as it is a new one. */
  claim({ at, filter, name, position }: CursorClaim, epoch: number): void {
    const stored = this.find(name) ?? { name, topics: filter.topics, origin: filter.origin, position, movedAt: at }
    this.byName.set(name, { ...stored, epoch })
  }

  move({ at, epoch, name, position }: CursorMove): boolean {
    const stored = this.find(name)
    if (stored?.epoch !== epoch) return false
    if (position > stored.position) this.byName.set(name, { ...stored, position, movedAt: at })
    return true
  }

  /** Resets it; nobody has its epoch from then on. */
  reset({ at, name, position }: CursorReset, epoch: number): boolean {
    const stored = this.find(name)
    if (stored !== undefined) this.byName.set(name, { ...stored, position, movedAt: at, epoch })
    return stored !== undefined
  }

  delete(name: string): boolean {
    return this.byName.delete(name)
  }
}
