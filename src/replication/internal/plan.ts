/**
 * What to get from a peer, told from what is here and what it says that it has. Plain functions.
 *
 * 1. A log is got from where this node's copy ends, with its last message once more, to be compared.
 * 2. This node's own logs are never got from anybody; one that is longer elsewhere is an alarm.
 * 3. Of what a peer may pass on, only the origins that were agreed on are looked at.
 */
import * as LogId from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import * as Topic from "../../domain/Topic.ts"
import { PeerMisbehaved } from "../errors.ts"

/** A log that the peer has more of. */
export interface Wanted {
  readonly log: LogId.LogId
  /** The last offset that is here; 0 where there is nothing. */
  readonly localHead: number
  readonly remoteHead: number
}

/** A log that something is wrong with. */
export interface Alarm extends Wanted {
  readonly error: PeerMisbehaved
}

export interface Plan {
  readonly wanted: ReadonlyArray<Wanted>
  readonly alarms: ReadonlyArray<Alarm>
  /** Logs that are as long here as there. */
  readonly equal: ReadonlyArray<Wanted>
}

export interface PlanInput {
  readonly self: NodeId.NodeId
  /** What is here. */
  readonly local: ReadonlyArray<LogId.LogHead>
  /** What the peer says. */
  readonly remote: ReadonlyArray<LogId.LogHead>
  /** Whose logs are taken from it; absent: everybody's. */
  readonly origins: ReadonlyArray<NodeId.NodeId> | undefined
}

const logProblem = ({ topic, origin, offset }: LogId.LogHead): string | undefined => {
  const problem = Topic.problem(topic) ?? NodeId.problem(origin)
  if (problem !== undefined) return problem
  return Number.isSafeInteger(offset) && offset >= 1 ? undefined : `a head is a whole number from 1 on, not ${offset}`
}

export const plan = ({ self, local, remote, origins }: PlanInput): Plan => {
  const heads = new Map(local.map((head) => [LogId.key(head), head.offset]))
  const wanted: Array<Wanted> = []
  const alarms: Array<Alarm> = []
  const equal: Array<Wanted> = []
  for (const head of remote) {
    const log = { topic: head.topic, origin: head.origin }
    const problem = logProblem(head)
    const one = { log, localHead: heads.get(LogId.key(log)) ?? 0, remoteHead: head.offset }
    if (problem !== undefined) {
      const message = `the peer lists a log that cannot be: ${problem}`
      alarms.push({ ...one, error: new PeerMisbehaved({ reason: "malformed log", message }) })
    } else if (NodeId.equals(log.origin, self)) {
      if (one.remoteHead <= one.localHead) continue
      const message =
        `the peer has this node's own log of ${log.topic} up to ${one.remoteHead}, and here it ends at ${one.localHead}: ` +
        "the store here is an old copy, or another node has this identity"
      alarms.push({ ...one, error: new PeerMisbehaved({ reason: "own log ahead", message }) })
    } else if (origins === undefined || origins.some((origin) => NodeId.equals(origin, log.origin))) {
      if (one.remoteHead > one.localHead) wanted.push(one)
      else equal.push(one)
    }
  }
  return { wanted, alarms, equal }
}
