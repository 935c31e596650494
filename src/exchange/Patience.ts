/**
 * How long senders wait for a recipient that does not keep up.
 *
 * A recipient whose buffer is more than half full is *crowded*: who sends to it is held up until the buffer is empty.
 * So a sender that is faster than its receivers runs at their pace, instead of having them disconnected. But each
 * recipient can hold up others only for so long in all; the time is given back when its buffer has been empty. One that
 * has stopped reading uses it up once, and after that its buffer fills, and its policy decides.
 *
 * Time is counted in slices, between which others get their turn. While this process is held up nobody can be seen to
 * read, and no more than a slice is counted.
 */

/** How long a recipient may hold up its senders between two times of being empty, in milliseconds. */
export const patienceMillisDefault = 250

const slices = 10

export class Patience {
  readonly #sliceMillis: number
  #slicesLeft = slices
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting: Array<() => void> = []

  constructor(millisMax: number = patienceMillisDefault) {
    this.#sliceMillis = millisMax / slices
  }

  /** Whether anybody may be held up. */
  get isLeft(): boolean {
    return this.#slicesLeft > 0
  }

  /** Calls back once, when it has eased or patience is at its end; at once where it is already. */
  wait(resume: () => void): void {
    if (!this.isLeft) {
      resume()
      return
    }
    this.#waiting.push(resume)
    if (this.#timer === undefined) this.#countSlice()
  }

  /** The buffer is empty: whoever waits goes on, and there is all the time again. */
  eased(): void {
    this.#slicesLeft = slices
    this.#stop()
  }

  /** The recipient is gone: nobody waits for it any more. */
  end(): void {
    this.#slicesLeft = 0
    this.#stop()
  }

  #countSlice(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (--this.#slicesLeft > 0) this.#countSlice()
      else this.#release()
    }, this.#sliceMillis)
  }

  #stop(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }
}
