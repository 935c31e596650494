/**
 * How long senders wait for a recipient that does not keep up.
 *
 * A recipient whose buffer is more than half full is *crowded*: who sends to it is held up until the buffer is empty.
 * So a sender that is faster than its receivers runs at their pace, instead of having them disconnected. But each
 * recipient can hold up others only for so long in all; the time is given back when its buffer has been empty. One that
 * has stopped reading uses it up once, and after that its buffer fills, and its policy decides.
 */

/** How long a recipient may hold up its senders between two times of being empty, in milliseconds. */
export const patienceMillisDefault = 250

export class Patience {
  readonly #millisMax: number
  #millisLeft: number
  #timer: ReturnType<typeof setTimeout> | undefined
  #waiting: Array<() => void> = []

  constructor(millisMax: number = patienceMillisDefault) {
    this.#millisMax = millisMax
    this.#millisLeft = millisMax
  }

  /** Whether anybody may be held up. */
  get isLeft(): boolean {
    return this.#millisLeft > 0
  }

  /** Calls back once, when it has eased or patience is at its end; at once where it is already. */
  wait(resume: () => void): void {
    if (!this.isLeft) {
      resume()
      return
    }
    this.#waiting.push(resume)
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#millisLeft = 0
      this.#release()
    }, this.#millisLeft)
  }

  /** The buffer is empty: whoever waits goes on, and there is all the time again. */
  eased(): void {
    this.#millisLeft = this.#millisMax
    this.#stop()
  }

  /** The recipient is gone: nobody waits for it any more. */
  end(): void {
    this.#millisLeft = 0
    this.#stop()
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
