/**
 * The last items that have succeeded at a taker elsewhere: what it told of them may have been lost with its connection, and
 * then they are handed out again.
 */

/** More than can be on the way to the node's disk: what is ahead at the taker, and what shares its commits there. */
const rememberedMax = 4096

export class DoneItems {
  readonly #ids = new Set<string>()

  add(id: string): void {
    this.#ids.add(id)
    if (this.#ids.size <= rememberedMax) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }
}
