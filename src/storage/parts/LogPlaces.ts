/**
 * Where in a log a position of the journal falls: at which offset a reader that has seen the journal up to there goes
 * on. It is found by a search, and remembered for a reader that comes back for its next page. What is remembered never
 * becomes wrong, since offsets and positions of stored messages do not change.
 */
/** Places remembered at most; the oldest goes first. */
const placesMax = 1024

export class LogPlaces {
  private readonly offsets = new Map<string, number>()

  /** The first offset beyond a position, if it is remembered. */
  get(log: number, position: number): number | undefined {
    return position === 0 ? 1 : this.offsets.get(`${log}:${position}`)
  }

  set(log: number, position: number, offset: number): void {
    if (this.offsets.size >= placesMax) for (const oldest of this.offsets.keys()) if (this.offsets.delete(oldest)) break
    this.offsets.set(`${log}:${position}`, offset)
  }
}
