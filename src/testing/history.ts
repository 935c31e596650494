/**
 * The history checker: what clients did and saw goes in, what was wrong with it comes out. One checker for every
 * claim about ordering, delivery and recovery, whoever wrote the history: a property test, a crash test with real
 * processes, or an application's own test.
 *
 * A write is *ok*, *failed* (it changed nothing) or *unknown* (an interrupted call, a lost connection, an I/O error):
 * never call a write failed because its answer did not come. What the checker counts must all be 0:
 *
 * | count        | means                                                                              |
 * |--------------|------------------------------------------------------------------------------------|
 * | `lost`       | an acknowledged write is not in the log where it was acknowledged                  |
 * | `duplicate`  | an offset came twice to one reader, or one write is stored twice                   |
 * | `gap`        | an offset was left out                                                             |
 * | `reordered`  | an offset came after a higher one, or one writer's writes are stored out of order  |
 * | `phantom`    | something was read that nobody wrote, or whose write failed                        |
 * | `divergent`  | two readers saw different things at the same place                                 |
 * | `undone`     | a message that was deleted is there again                                          |
 * | `stuck`      | a reader that was given all the time it needs did not get everything               |
 *
 * A replica is a node that has got the logs from others, and has to have the same in the end: what it has not is `stuck`,
 * what is another message, or deleted on one side only, is `divergent` or `undone`.
 *
 * What these mean for queues is in `queueHistory`.
 */
import * as LogId from "../domain/LogId.ts"
import { checkQueue, type QueueHistory } from "./queueHistory.ts"

export type { QueueEvent, QueueHistory } from "./queueHistory.ts"

export type Outcome = "ok" | "failed" | "unknown"

/** One message that somebody tried to write. */
export interface Write extends LogId.LogId {
  /** Who wrote: what one writer writes one after another must be stored in that order. */
  readonly writer: string
  /** What tells this write from every other. */
  readonly content: string
  readonly outcome: Outcome
  /** Where it was acknowledged; absent unless ok. */
  readonly offset?: number | undefined
}

/** One message that somebody read. */
export interface Seen extends LogId.LogId {
  readonly offset: number
  readonly id: string
  readonly content: string
  readonly deleted: boolean
  /** Absent where nobody asks for it. */
  readonly createdAt?: number | undefined
}

/** What a reader saw, in order. */
export interface Read {
  readonly reader: string
  readonly seen: ReadonlyArray<Seen>
  /**
   * For each log (by `LogId.key`) that the reader follows: the offsets between which the first that it sees must be,
   * and up to which it must have seen everything. A log that is not here is only checked for order.
   */
  readonly expected: ReadonlyMap<
    string,
    { readonly firstMin: number; readonly firstMax: number; readonly last: number }
  >
}

/** All logs of another node, each from its beginning, when everything was over. */
export interface ReplicaContents {
  readonly node: string
  readonly seen: ReadonlyArray<Seen>
}

/** A range that was deleted; `to` is not above what the head was then. */
export interface Deletion extends LogId.LogId {
  readonly from: number
  readonly to: number
  readonly outcome: Outcome
}

export interface History {
  readonly writes: ReadonlyArray<Write>
  readonly deletions: ReadonlyArray<Deletion>
  /** All logs, read from their beginnings when everything was over. */
  readonly final: ReadonlyArray<Seen>
  readonly reads: ReadonlyArray<Read>
  readonly replicas?: ReadonlyArray<ReplicaContents> | undefined
  readonly queues?: ReadonlyArray<QueueHistory> | undefined
}

export const faults = ["lost", "duplicate", "gap", "reordered", "phantom", "divergent", "undone", "stuck"] as const
export type Fault = (typeof faults)[number]

export interface Verdict {
  readonly counts: Readonly<Record<Fault, number>>
  /** The first findings, each a sentence. */
  readonly findings: ReadonlyArray<string>
  readonly isClean: boolean
}

const findingsMax = 20

export const check = (history: History): Verdict => {
  const counts: Record<Fault, number> = {
    lost: 0,
    duplicate: 0,
    gap: 0,
    reordered: 0,
    phantom: 0,
    divergent: 0,
    undone: 0,
    stuck: 0,
  }
  const findings: Array<string> = []
  const report = (fault: Fault, finding: string): void => {
    counts[fault]++
    if (findings.length < findingsMax) findings.push(`${fault}: ${finding}`)
  }

  const truth = checkFinal(history, report)
  checkWrites(history, truth, report)
  checkDeletions(history, truth, report)
  for (const read of history.reads) checkRead(read, truth, report)
  for (const replica of history.replicas ?? []) checkReplica(replica, truth, report)
  for (const queue of history.queues ?? []) checkQueue(queue, report)

  return { counts, findings, isClean: faults.every((fault) => counts[fault] === 0) }
}

type Report = (fault: Fault, finding: string) => void
/** The final content of each log, by its key, by offset. */
type Truth = ReadonlyMap<string, ReadonlyMap<number, Seen>>

/** The final read by itself: 1, 2, 3 … in each log, nothing twice, nothing that nobody wrote. */
const checkFinal = ({ writes, final }: History, report: Report): Truth => {
  const outcomes = new Map<string, Outcome>()
  for (const { content, outcome } of writes) {
    // Something may be written again under its key: one attempt that did not fail is enough.
    if (outcome !== "failed" || !outcomes.has(content)) outcomes.set(content, outcome)
  }
  const truth = new Map<string, Map<number, Seen>>()
  const places = new Map<string, string>()
  for (const seen of final) {
    const key = LogId.key(seen)
    const place = `${LogId.format(seen)} ${seen.offset}`
    const log = truth.get(key) ?? new Map<number, Seen>()
    truth.set(key, log)
    if (log.has(seen.offset)) report("duplicate", `${place} is stored twice`)
    else if (seen.offset !== log.size + 1) report("gap", `${place} follows offset ${log.size}`)
    log.set(seen.offset, seen)
    if (seen.deleted) continue
    const outcome = outcomes.get(seen.content)
    if (outcome === undefined) report("phantom", `${place} holds ${quote(seen.content)}, which nobody wrote`)
    if (outcome === "failed") report("phantom", `${place} holds ${quote(seen.content)}, whose write failed`)
    const earlier = places.get(seen.content)
    if (earlier !== undefined) report("duplicate", `${quote(seen.content)} is stored at ${earlier} and at ${place}`)
    places.set(seen.content, place)
  }
  return truth
}

/** Every acknowledged write is where it was acknowledged, and each writer's writes are in its order. */
const checkWrites = ({ writes }: History, truth: Truth, report: Report): void => {
  const last = new Map<string, number>()
  for (const write of writes) {
    if (write.outcome !== "ok" || write.offset === undefined) continue
    const place = `${LogId.format(write)} ${write.offset}`
    const seen = truth.get(LogId.key(write))?.get(write.offset)
    if (seen === undefined) report("lost", `${quote(write.content)} was acknowledged at ${place}, where nothing is`)
    else if (!seen.deleted && seen.content !== write.content) {
      report("lost", `${quote(write.content)} was acknowledged at ${place}, where ${quote(seen.content)} is`)
    }
    const key = `${write.writer}\0${LogId.key(write)}`
    const before = last.get(key) ?? 0
    if (write.offset < before) report("reordered", `${write.writer} wrote ${place} after offset ${before}`)
    last.set(key, write.offset)
  }
}

/** What was deleted stays deleted. */
const checkDeletions = ({ deletions }: History, truth: Truth, report: Report): void => {
  for (const deletion of deletions) {
    if (deletion.outcome !== "ok") continue
    const log = truth.get(LogId.key(deletion))
    for (let offset = deletion.from; offset <= deletion.to; offset++) {
      if (log?.get(offset)?.deleted === false) report("undone", `${LogId.format(deletion)} ${offset} was deleted`)
    }
  }
}

/** One reader: contiguous from its start to the end, the same as everybody else's. */
const checkRead = (read: Read, truth: Truth, report: Report): void => {
  const last = new Map<string, number>()
  for (const seen of read.seen) {
    const key = LogId.key(seen)
    const place = `${read.reader}: ${LogId.format(seen)} ${seen.offset}`
    const before = last.get(key)
    if (before === undefined) checkFirst(read, seen, place, report)
    else if (seen.offset === before) report("duplicate", `${place} came twice`)
    else if (seen.offset < before) report("reordered", `${place} came after offset ${before}`)
    else if (seen.offset > before + 1) report("gap", `${place} came after offset ${before}`)
    last.set(key, Math.max(before ?? 0, seen.offset))
    const stored = truth.get(key)?.get(seen.offset)
    if (stored === undefined) report("phantom", `${place} is not stored`)
    else if (stored.id !== seen.id) report("divergent", `${place} has the id ${seen.id}, and ${stored.id} in the end`)
    else if (!seen.deleted && !stored.deleted && stored.content !== seen.content) {
      report("divergent", `${place} is ${quote(seen.content)}, and ${quote(stored.content)} in the end`)
    } else if (seen.deleted && !stored.deleted) report("divergent", `${place} was deleted, and is not in the end`)
  }
  for (const [key, expected] of read.expected) {
    const reached = last.get(key)
    // What lies before the latest possible start need not have come.
    if (expected.firstMax <= expected.last && (reached ?? 0) < expected.last) {
      report(
        "stuck",
        `${read.reader}: ${key.replaceAll("\0", " ")} reached ${reached ?? "nothing"} of ${expected.last}`,
      )
    }
  }
}

/** One replica: all logs, whole, each message the same, and deleted where it is deleted elsewhere. */
const checkReplica = ({ node, seen }: ReplicaContents, truth: Truth, report: Report): void => {
  const heads = new Map<string, number>()
  for (const message of seen) {
    const key = LogId.key(message)
    const place = `${node}: ${LogId.format(message)} ${message.offset}`
    const head = heads.get(key) ?? 0
    if (message.offset !== head + 1) {
      report(message.offset <= head ? "duplicate" : "gap", `${place} is stored after offset ${head}`)
    }
    heads.set(key, Math.max(head, message.offset))
    const stored = truth.get(key)?.get(message.offset)
    if (stored === undefined) report("phantom", `${place} is nowhere else`)
    else if (stored.id !== message.id || stored.createdAt !== message.createdAt) {
      report("divergent", `${place} is the message ${message.id}, and elsewhere ${stored.id}`)
    } else if (stored.deleted !== message.deleted) {
      report(
        message.deleted ? "divergent" : "undone",
        `${place} is ${message.deleted ? "" : "not "}deleted, unlike elsewhere`,
      )
    } else if (stored.content !== message.content) {
      report("divergent", `${place} is ${quote(message.content)}, and elsewhere ${quote(stored.content)}`)
    }
  }
  for (const [key, log] of truth) {
    const head = heads.get(key) ?? 0
    if (head < log.size) report("stuck", `${node}: ${key.replaceAll("\0", " ")} reached ${head} of ${log.size}`)
  }
}

const checkFirst = (read: Read, seen: Seen, place: string, report: Report): void => {
  const expected = read.expected.get(LogId.key(seen))
  if (expected === undefined) return
  if (seen.offset < expected.firstMin) report("duplicate", `${place} came first, before the start ${expected.firstMin}`)
  if (seen.offset > expected.firstMax) report("gap", `${place} came first, after the start ${expected.firstMax}`)
}

const quote = (content: string): string => JSON.stringify(content.length > 40 ? `${content.slice(0, 40)}…` : content)

/** A verdict as one line, for people and logs. */
export const format = (verdict: Verdict): string =>
  [faults.map((fault) => `${verdict.counts[fault]} ${fault}`).join(", "), ...verdict.findings].join("\n  ")
