/**
 * What a program of publishes, deletions and queue operations leaves in a store: simple on purpose.
 *
 * Actors work side by side, each on topics or a queue of its own and one step after the other. So at any moment each
 * actor's part is as after the steps that were acknowledged to it, or one step further.
 */

export type Step =
  | { readonly type: "publish"; readonly topic: string; readonly contents: ReadonlyArray<Content> }
  | { readonly type: "delete"; readonly topic: string; readonly from: number; readonly to: number }
  | { readonly type: "enqueue"; readonly queue: string; readonly content: Content }
  | { readonly type: "ack" | "reject"; readonly queue: string }
  | { readonly type: "move"; readonly cursor: string; readonly position: number }

/** What stands in a payload: a label, and as many bytes in all. */
export interface Content {
  readonly label: string
  readonly bytes: number
}

/** With so many attempts an item goes to the dead queue. */
export const attemptsMax = 2

export const payloadOf = ({ bytes, label }: Content): string => `${label} `.padEnd(bytes, label)

/** A line that the program writes: before a step, and when it was acknowledged. */
export interface Line {
  readonly actor: string
  readonly what: "asked" | "acknowledged"
  readonly step: Step
}

/** Messages by topic, deleted ones as `null`, items with their attempts by queue, and where cursors are. */
export interface State {
  readonly topics: Record<string, Array<string | null>>
  readonly queues: Record<string, Array<readonly [payload: string, attempts: number]>>
  readonly cursors: Record<string, number>
}

export const emptyState = (): State => ({ topics: {}, queues: {}, cursors: {} })

const apply = ({ cursors, queues, topics }: State, step: Step): void => {
  switch (step.type) {
    case "publish":
      ;(topics[step.topic] ??= []).push(...step.contents.map(payloadOf))
      return
    case "delete": {
      const messages = topics[step.topic] ?? []
      for (let i = step.from; i <= Math.min(step.to, messages.length); i++) messages[i - 1] = null
      return
    }
    case "enqueue":
      ;(queues[step.queue] ??= []).push([payloadOf(step.content), 0])
      return
    case "ack":
      queues[step.queue]!.shift()
      return
    case "move":
      cursors[step.cursor] = step.position
      return
    case "reject": {
      const [payload, attempts] = queues[step.queue]!.shift()!
      if (attempts + 1 < attemptsMax) queues[step.queue]!.unshift([payload, attempts + 1])
      else (queues[`${step.queue}.dead`] ??= []).push([payload, 0])
    }
  }
}

/** What is there after some steps. */
export const stateAfter = (steps: ReadonlyArray<Step>): State => {
  const state = emptyState()
  for (const step of steps) apply(state, step)
  return state
}

/** What the lines say of each actor: all that it asked for, and how many of its steps were acknowledged. */
export const progressOf = (lines: ReadonlyArray<Line>) => {
  const actors = new Map<string, { readonly asked: Array<Step>; acknowledged: number }>()
  for (const { actor, step, what } of lines) {
    let progress = actors.get(actor)
    if (progress === undefined) actors.set(actor, (progress = { asked: [], acknowledged: 0 }))
    if (what === "asked") progress.asked.push(step)
    else progress.acknowledged++
  }
  return actors
}
