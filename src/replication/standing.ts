/**
 * How things stand with a peer, in a word, and what is wrong, in sentences. Plain functions over what is known of peers.
 */
import type { PeerState } from "./PeerState.ts"

export type Standing =
  /** It has not been asked yet. */
  | "unasked"
  /** It has never answered, however often it was asked. */
  | "unreached"
  /** It answers, and is not who it should be. */
  | "refused"
  /** It answered before, and does not now. */
  | "failing"
  /** Logs differ here and there, and somebody has to decide. */
  | "in conflict"
  /** Something else is wrong with some of its logs. */
  | "logs failing"
  /** What it has and this node has not is on its way. */
  | "syncing"
  /** It has messages that are not here, and that are not on their way. */
  | "behind"
  | "in step"

/** The first of these that holds, from the worst on. */
export const standingOf = (state: PeerState): Standing => {
  if (state.failingSince !== 0 && state.isRefused) return "refused"
  if (state.failingSince !== 0) return state.lastSuccessAt === 0 ? "unreached" : "failing"
  if (state.lastAttemptAt === 0) return "unasked"
  if (state.logsQuarantined > 0) return "in conflict"
  if (state.logsFailing > 0) return "logs failing"
  if (state.behind === 0) return "in step"
  return state.isSyncing ? "syncing" : "behind"
}

const troubles: ReadonlySet<Standing> = new Set<Standing>([
  "unreached",
  "refused",
  "failing",
  "in conflict",
  "logs failing",
])

/** Whether somebody has to look at it: it does not get better by waiting, or has not so far. */
export const isTrouble = (standing: Standing): boolean => troubles.has(standing)

/** What a peer has said may have any character in it: it is not to look like a line of ours, nor to control a terminal. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim()

/** A sentence for each peer that fails. */
export const failures = (peers: ReadonlyArray<PeerState>): ReadonlyArray<string> =>
  peers
    .filter(({ failingSince }) => failingSince !== 0)
    .map(
      ({ failingSince, lastError = "it gave no reason", peer }) =>
        `peer ${peer} has been failing since ${new Date(failingSince).toISOString()}: ${oneLine(lastError)}`,
    )

/** A sentence for the logs that wait for a decision, for each peer where there are any. */
export const conflicts = (peers: ReadonlyArray<PeerState>): ReadonlyArray<string> =>
  peers
    .filter(({ logsQuarantined }) => logsQuarantined > 0)
    .map(({ logsQuarantined, peer }) => {
      const which =
        logsQuarantined === 1
          ? "1 log is quarantined, because its"
          : `${logsQuarantined} logs are quarantined, because their`
      return `${which} copies here and at the peer ${peer} differ: millrace sync status says more`
    })
