/**
 * Where in a log a position of the journal falls: at which offset a reader that has seen the journal up to there goes
 * on. It is found by a search, and remembered for a reader that comes back for its next page. Offsets and positions of
 * stored messages do not change, so what is remembered becomes wrong in one way only: messages are discarded, and others
 * come in their place. Whoever asks says what the last position is at which that happened.
 */
/** Places remembered at most; the oldest goes first. */
const placesMax = 1024

export class LogPlaces {
  private readonly offsets = new Map<string, number>()
  /** What is remembered is remembered since then. */
  private lastDiscarded = 0

  /** The first offset beyond a position, if it is remembered. */
  get(log: number, position: number, lastDiscarded: number): number | undefined {
    if (position === 0) return 1
    return this.isCurrent(lastDiscarded) ? this.offsets.get(`${log}:${position}`) : undefined
  }

  set(log: number, position: number, offset: number, lastDiscarded: number): void {
    if (!this.isCurrent(lastDiscarded)) return
    if (this.offsets.size >= placesMax) for (const oldest of this.offsets.keys()) if (this.offsets.delete(oldest)) break
    this.offsets.set(`${log}:${position}`, offset)
  }

  /** Whether nothing was discarded that who asks has not seen. */
  private isCurrent(lastDiscarded: number): boolean {
    if (lastDiscarded > this.lastDiscarded) {
      this.offsets.clear()
      this.lastDiscarded = lastDiscarded
    }
    return lastDiscarded === this.lastDiscarded
  }
}
