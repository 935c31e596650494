/**
 * Random programs for a queue, and what each step should do to it, said as simply as possible: a list of items, and one
 * operation at a time.
 */
import * as fc from "fast-check"

/** What becomes of an item that a taker's handler is given. */
export type Work = "done" | "failed" | "died"

export type QueueStep =
  /** Enqueues so many items, one after the other or all at once. */
  | { readonly type: "enqueue"; readonly items: number; readonly atOnce: boolean }
  /**
   * A taker does so much work, and is then cut off: in the middle of the next item, if there is one. Meanwhile so many
   * items are enqueued.
   */
  | {
      readonly type: "take"
      readonly work: ReadonlyArray<Work>
      readonly attemptsMax: number
      readonly enqueuing: number
    }
  /** Acknowledges or rejects an item, counted from the front: anything but the front is refused. */
  | { readonly type: "ack"; readonly aim: number }
  | { readonly type: "reject"; readonly aim: number; readonly attemptsMax: number | undefined }
  | { readonly type: "redrive"; readonly itemsMax: number }
  /** Everything is closed and opened again. */
  | { readonly type: "restart" }

/** At which node a step is done, where there are several, and at which one things are enqueued meanwhile. */
export interface AtNodes {
  readonly node?: number
  readonly enqueuer?: number
}

export type QueueProgram = ReadonlyArray<QueueStep & AtNodes>

const work = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Work>("done") },
  { weight: 2, arbitrary: fc.constant<Work>("failed") },
  { weight: 1, arbitrary: fc.constant<Work>("died") },
)
const aim = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(2))
const attemptsMax = fc.integer({ min: 1, max: 3 })

const step: fc.Arbitrary<QueueStep> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("enqueue" as const),
      items: fc.integer({ min: 1, max: 6 }),
      atOnce: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("take" as const),
      work: fc.array(work, { maxLength: 8 }),
      attemptsMax,
      enqueuing: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("ack" as const), aim }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("reject" as const),
      aim,
      attemptsMax: fc.option(attemptsMax, { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("redrive" as const), itemsMax: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const) }) },
)

/**
 * @param stepsMax how long programs are at most, by default 12
 * @param nodes how many nodes there are, by default one
 */
export const queuePrograms = (stepsMax = 12, nodes = 1): fc.Arbitrary<QueueProgram> => {
  const node = fc.nat(nodes - 1)
  const steps = fc.tuple(step, node, node).map(([at, first, second]) => ({ ...at, node: first, enqueuer: second }))
  return fc.array(nodes === 1 ? step : steps, { minLength: 1, maxLength: stepsMax })
}

/** An item as the model has it: `content` tells it from every other. */
export interface ModelItem {
  readonly content: string
  readonly sequence: number
  readonly attempts: number
  /** In the dead queue: where it came from, and how often it failed there. */
  readonly died: { readonly sequence: number; readonly attempts: number } | undefined
}

/** A queue and its dead queue, as they should be. */
export class ModelQueue {
  readonly items: Array<ModelItem> = []
  readonly dead: Array<ModelItem> = []
  private lastSequence = 0
  private lastDead = 0

  /** Gives the item's sequence. */
  enqueue(content: string): number {
    this.items.push({ content, sequence: ++this.lastSequence, attempts: 0, died: undefined })
    return this.lastSequence
  }

  /** Whether it was the front. */
  ack(content: string): boolean {
    if (this.items[0]?.content !== content) return false
    this.items.shift()
    return true
  }

  /** What is said of it: attempts counted, and whether it is dead; nothing where it was not the front. */
  reject(
    content: string,
    attemptsMax: number | undefined,
  ): { readonly attempts: number; readonly isDead: boolean } | undefined {
    const [front] = this.items
    if (front?.content !== content) return undefined
    const attempts = front.attempts + 1
    const isDead = attemptsMax !== undefined && attempts >= attemptsMax
    this.items.shift()
    if (isDead)
      this.dead.push({ content, sequence: ++this.lastDead, attempts: 0, died: { sequence: front.sequence, attempts } })
    else this.items.unshift({ ...front, attempts })
    return { attempts, isDead }
  }

  /** How many moved. */
  redrive(itemsMax: number): number {
    const moved = this.dead.splice(0, itemsMax)
    for (const { content } of moved) this.enqueue(content)
    return moved.length
  }

  /** What a taker's handler is called with, call by call, `content` and attempts; the last one may be cut off. */
  take(work: ReadonlyArray<Work>, attemptsMax: number): ReadonlyArray<string> {
    const calls: Array<string> = []
    for (const outcome of work) {
      const [front] = this.items
      if (front === undefined) return calls
      calls.push(callOf(front))
      if (outcome === "done") this.ack(front.content)
      else this.reject(front.content, attemptsMax)
    }
    if (this.items[0] !== undefined) calls.push(callOf(this.items[0]))
    return calls
  }
}

/** A call of a handler, in a word. */
export const callOf = ({ attempts, content }: { readonly content: string; readonly attempts: number }): string =>
  `${content}, attempt ${attempts + 1}`
