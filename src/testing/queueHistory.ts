/**
 * The part of the history checker that is about queues: what was enqueued, handed out and acknowledged, and what is left
 * when everything is over. Its findings are those of `history`:
 *
 * | count        | means                                                                                    |
 * |--------------|------------------------------------------------------------------------------------------|
 * | `lost`       | an item that was enqueued, and that nobody has tried to acknowledge, is not there        |
 * | `duplicate`  | an item is there twice                                                                   |
 * | `reordered`  | an item is there, or was handed out, although one behind it was acknowledged before      |
 * | `phantom`    | an item is there, or was handed out, that nobody enqueued, or whose enqueueing failed    |
 * | `undone`     | an item is there, or was handed out again, although its acknowledgement was confirmed    |
 */
import type { Fault, Outcome } from "./history.ts"

/** What happened to a queue, one after another as whoever noted it learnt of it. */
export type QueueEvent =
  | {
      readonly type: "enqueue"
      /** What tells this item from every other. */
      readonly content: string
      readonly outcome: Outcome
      /** Its sequence; absent unless ok. */
      readonly sequence?: number | undefined
    }
  /** It was at the front, as a taker or a look at the queue showed it. */
  | { readonly type: "handed out"; readonly content: string; readonly sequence: number }
  | { readonly type: "ack"; readonly content: string; readonly sequence: number; readonly outcome: Outcome }

export interface QueueHistory {
  readonly queue: string
  readonly events: ReadonlyArray<QueueEvent>
  /** What is in the queue when everything is over, from the front on. */
  readonly final: ReadonlyArray<{ readonly content: string; readonly sequence: number }>
}

type Report = (fault: Fault, finding: string) => void

export const checkQueue = ({ queue, events, final }: QueueHistory, report: Report): void => {
  const named = (content: string, sequence: number) => `${queue} ${sequence} (${JSON.stringify(content)})`
  const enqueued = new Map<string, Outcome>()
  /** Those whose acknowledgement was confirmed, and those for which it was tried. */
  const acknowledged = new Set<string>()
  const given = new Set<string>()
  let lastAcknowledged = 0

  const checkPresence = (content: string, sequence: number, what: string): void => {
    const outcome = enqueued.get(content)
    if (outcome === undefined) report("phantom", `${named(content, sequence)} ${what}, and nobody enqueued it`)
    if (outcome === "failed") report("phantom", `${named(content, sequence)} ${what}, and its enqueueing failed`)
    if (acknowledged.has(content)) report("undone", `${named(content, sequence)} ${what}, and was acknowledged`)
    else if (sequence < lastAcknowledged) {
      report("reordered", `${named(content, sequence)} ${what} after ${lastAcknowledged} was acknowledged`)
    }
  }

  // An item may be handed out before whoever enqueued it has heard of that.
  for (const event of events) if (event.type === "enqueue") enqueued.set(event.content, event.outcome)
  for (const event of events) {
    if (event.type === "handed out") checkPresence(event.content, event.sequence, "was handed out")
    if (event.type !== "ack" || event.outcome === "failed") continue
    given.add(event.content)
    if (event.outcome === "unknown") continue
    acknowledged.add(event.content)
    lastAcknowledged = Math.max(lastAcknowledged, event.sequence)
  }

  const left = new Set<string>()
  let before = 0
  for (const { content, sequence } of final) {
    checkPresence(content, sequence, "is there in the end")
    if (left.has(content)) report("duplicate", `${named(content, sequence)} is there twice`)
    if (sequence <= before) report("reordered", `${named(content, sequence)} comes after ${before}`)
    left.add(content)
    before = sequence
  }
  for (const event of events) {
    if (event.type !== "enqueue" || event.outcome !== "ok") continue
    if (left.has(event.content) || given.has(event.content)) continue
    report("lost", `${named(event.content, event.sequence ?? 0)} was enqueued and is gone`)
  }
}
