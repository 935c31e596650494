/**
 * How far a cursor's subscription has got: what has been given out, what of it has been handled, and where the cursor may
 * stand therefore. Pure.
 *
 * Invariants:
 * 1. Every matching message up to `given` has been given out, the last of them at `emitted`; both are noted in one step.
 * 2. Every matching message up to `handled` has been handled, in this order.
 * 3. The cursor stands at `place`: where all that was given out is handled, at `given`, past what does not match; else at
 *    the last message handled.
 */
export class Progress {
  #emitted: number
  #given: number
  #handled: number
  /** Where all is given out and nothing is under way: how far that reaches by now. */
  idle: () => number | undefined = () => undefined

  /**
   * @param start the subscription begins after this position
   * @param handled up to where all has been handled, as far as is known
   */
  constructor(start: number, handled: number) {
    this.#emitted = start
    this.#given = start
    this.#handled = handled
  }

  /** Messages are given out, the last one at `emitted`, if there are any; all that match up to `given` have been. */
  give(given: number, emitted: number | undefined): void {
    if (emitted !== undefined) this.#emitted = emitted
    this.#given = given
  }

  /** All that was given out up to this position is handled. What was never given out cannot be. */
  handle(position: number): void {
    const handled = Math.min(position, this.#emitted)
    if (handled > this.#handled) this.#handled = handled
  }

  get place(): number {
    if (this.#handled < this.#emitted) return this.#handled
    return Math.max(this.#given, this.idle() ?? 0)
  }
}
