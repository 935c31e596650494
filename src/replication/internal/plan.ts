/**
 * What to do about a peer's logs, told from what is here and what it says that it has. Plain functions.
 *
 * 1. A log is got from where this node's copy ends, with its last message once more, to be compared.
 * 2. This node's own logs are got from nobody, unless it has lost them; one that is longer elsewhere is an alarm.
 * 3. What is as long here as there is compared. So are own logs, as far as the peer has them: what it has was published by
 *    this node, or by another one under its name.
 * 4. Logs that little is missing of come first: they need not wait for those that much is missing of.
 * 5. Of what a peer may pass on, only the origins that were agreed on are looked at.
 */
import * as LogId from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import * as Topic from "../../domain/Topic.ts"
import { PeerMisbehaved } from "../errors.ts"

/** A log with its last offsets here and at the peer; 0 where there is nothing. */
export interface LogPair {
  readonly log: LogId.LogId
  readonly localHead: number
  readonly remoteHead: number
}

/** A log that something is wrong with. */
export interface Alarm extends LogPair {
  readonly error: PeerMisbehaved
}

export interface Plan {
  /** All logs that are looked at. */
  readonly listed: ReadonlyArray<LogPair>
  /** Logs that the peer has more of, this node's own first. */
  readonly wanted: ReadonlyArray<LogPair>
  /** Logs whose last message that both have is to be the same. */
  readonly compared: ReadonlyArray<LogPair>
  readonly alarms: ReadonlyArray<Alarm>
}

export interface PlanInput {
  readonly self: NodeId.NodeId
  /** What is here. */
  readonly local: ReadonlyArray<LogId.LogHead>
  /** What the peer says. */
  readonly remote: ReadonlyArray<LogId.LogHead>
  /** Whose logs are taken from it; absent: everybody's. */
  readonly origins: ReadonlyArray<NodeId.NodeId> | undefined
  /** Whether this node's own logs are filled from it. */
  readonly heals: boolean
}

const isHead = (offset: number): boolean => Number.isSafeInteger(offset) && offset >= 1

/** What is wrong with a log that a peer lists, as a sentence without a full stop, or `undefined`. */
export const logProblem = ({ topic, origin, offset }: LogId.LogHead): string | undefined => {
  const problem = Topic.problem(topic) ?? NodeId.problem(origin)
  if (problem !== undefined) return problem
  return isHead(offset) ? undefined : `a head is a whole number from 1 on, not ${offset}`
}

const malformed = (problem: string): PeerMisbehaved =>
  new PeerMisbehaved({ reason: "malformed log", message: `the peer lists a log that cannot be: ${problem}` })

const ownAhead = ({ localHead, log, remoteHead }: LogPair): PeerMisbehaved =>
  new PeerMisbehaved({
    reason: "own log ahead",
    message:
      `the peer has this node's own log of ${log.topic} up to ${remoteHead}, and here it ends at ${localHead}: ` +
      "the store here is an old copy, or another node has this identity",
  })

const missing = ({ localHead, remoteHead }: LogPair): number => remoteHead - localHead

export const plan = ({ heals, local, origins, remote, self }: PlanInput): Plan => {
  const heads = new Map(local.map((head) => [LogId.key(head), head.offset]))
  const seen = new Set<string>()
  const listed: Array<LogPair> = []
  const own: Array<LogPair> = []
  const wanted: Array<LogPair> = []
  const compared: Array<LogPair> = []
  const alarms: Array<Alarm> = []
  for (const head of remote) {
    const log = { topic: head.topic, origin: head.origin }
    const key = LogId.key(log)
    // What is listed twice is looked at once: what comes of it is checked in any case.
    if (seen.has(key)) continue
    seen.add(key)
    const isOwn = NodeId.equals(log.origin, self)
    if (origins !== undefined && !isOwn && !origins.some((origin) => NodeId.equals(origin, log.origin))) continue
    const problem = logProblem(head)
    // A number that cannot be goes nowhere: others could not be told of it, and it could not be saved.
    const pair = { log, localHead: heads.get(key) ?? 0, remoteHead: isHead(head.offset) ? head.offset : 0 }
    listed.push(pair)
    if (problem !== undefined) alarms.push({ ...pair, error: malformed(problem) })
    else if (pair.remoteHead > pair.localHead) {
      if (!isOwn) wanted.push(pair)
      else if (heals) own.push(pair)
      else alarms.push({ ...pair, error: ownAhead(pair) })
    } else if (isOwn || pair.remoteHead === pair.localHead) compared.push(pair)
  }
  wanted.sort((a, b) => missing(a) - missing(b))
  return { listed, wanted: [...own, ...wanted], compared, alarms }
}
