/**
 * How a node stands with its peers, as text for people and as objects for programs. Plain functions.
 */
import * as NodeId from "../../domain/NodeId.ts"
import {
  failures,
  isTroubled,
  oneLine,
  type PeerStatus,
  type Standing,
  standingOf,
  type SyncState,
  type SyncStatus,
} from "../../replication/index.ts"
import { logName, printable } from "../io/messageFormat.ts"
import { shellWord } from "../io/shellWord.ts"
import { type Column, left, right, table } from "../io/table.ts"
import { age, count } from "../io/units.ts"

/** Lines for logs where nobody asked for all of them. */
const logsMax = 50

const ago = (now: number, at: number): string => (at === 0 ? "never" : `${age(Math.max(0, now - at) / 1000)} ago`)

const words: Readonly<Record<Standing, string>> = {
  unasked: "not asked yet",
  unreached: "never reached",
  refused: "refused",
  failing: "failing",
  "in conflict": "in conflict",
  "logs failing": "logs failing",
  syncing: "syncing",
  behind: "behind",
  "in step": "in step",
}

const standingText = (now: number, state: PeerStatus): string => {
  const standing = standingOf(state)
  return standing === "failing" || standing === "refused"
    ? `${words[standing]} for ${age(Math.max(0, now - state.failingSince) / 1000)}`
    : words[standing]
}

const columns = (now: number): ReadonlyArray<Column<PeerStatus>> => [
  left("PEER", ({ peer }) => peer),
  left("NODE", ({ identity }) => (identity === undefined ? "–" : printable(NodeId.format(identity)))),
  left("TELLS", ({ failures, isTelling }) => (isTelling ? "at once" : failures > 0 ? "–" : "when polled")),
  left("STATE", (state) => standingText(now, state)),
  right("BEHIND", ({ behind }) => count(behind)),
  right("LAST SUCCESS", ({ lastSuccessAt }) => ago(now, lastSuccessAt)),
  right("LOGS", ({ logs }) => count(logs)),
  right("QUARANTINED", ({ logsQuarantined }) => count(logsQuarantined)),
]

/** From the worst on: what waits for somebody, what fails, what is behind. */
const urgency = ({ failures, localHead, quarantine, remoteHead }: SyncState): number => {
  if (quarantine !== undefined && !quarantine.isKept) return 3
  if (failures > 0 && quarantine === undefined) return 2
  return remoteHead > localHead ? 1 : 0
}

const byUrgency = (a: SyncState, b: SyncState): number =>
  urgency(b) - urgency(a) || b.remoteHead - b.localHead - (a.remoteHead - a.localHead)

/** How far a log is. */
const progress = ({ localHead, remoteHead }: SyncState): string => {
  const places = `${count(localHead)} here, ${count(remoteHead)} there`
  return remoteHead > localHead ? `${count(remoteHead - localHead)} behind (${places})` : places
}

const logLines = (state: SyncState, hasSeveralPeers: boolean): ReadonlyArray<string> => {
  const { failures: attempts, lastError, log, peer, quarantine } = state
  const name = logName(log)
  const first = `${name} of ${peer}: ${progress(state)}`
  if (quarantine?.isKept === true) {
    return [`${first}; differs at offset ${quarantine.offset}, and it was decided to keep what is here`]
  }
  if (quarantine !== undefined) {
    const which = hasSeveralPeers ? ` --peer ${shellWord(peer)}` : ""
    const since = new Date(quarantine.since).toISOString()
    return [
      `${first}; quarantined since ${since}, because it differs at offset ${quarantine.offset}: ${oneLine(lastError ?? "")}`,
      `    decide which one is right: millrace doctor resolve ${shellWord(name)} --keep local|peer${which}`,
    ]
  }
  if (attempts === 0) return [first]
  return [`${first}; failed ${attempts === 1 ? "once" : `${attempts} times in a row`}: ${oneLine(lastError ?? "")}`]
}

/** The sentence for a node that has no peers. */
export const noPeers = (node: NodeId.NodeId): string =>
  `${NodeId.format(node)} has no peers: it gets nothing from other nodes (see millrace serve --peer)`

/** A table of the peers, then what fails, then a line for each log that there is. */
export const text = ({ at, peers }: SyncStatus, logs: ReadonlyArray<SyncState>, hasAll: boolean): string => {
  const sorted = logs.toSorted(byUrgency)
  const shown = hasAll ? sorted : sorted.slice(0, logsMax)
  const left = sorted.length - shown.length
  const lines = [
    ...failures(peers),
    ...shown.flatMap((state) => logLines(state, peers.length > 1)),
    ...(left > 0 ? [`… and ${count(left)} more: --all shows every log`] : []),
  ]
  return table(columns(at), peers) + (lines.length === 0 ? "" : `\n${lines.join("\n")}\n`)
}

/** What is left out where it never was. */
const time = (name: string, at: number) => (at === 0 ? {} : { [name]: at })

/** A peer with `--json`; times in milliseconds since 1970. */
export const peerObject = (state: PeerStatus) => ({
  kind: "peer",
  peer: state.peer,
  ...(state.identity === undefined ? {} : { node: NodeId.format(state.identity) }),
  state: standingOf(state),
  tellsAtOnce: state.isTelling,
  behind: state.behind,
  logs: state.logs,
  logsBehind: state.logsBehind,
  logsFailing: state.logsFailing,
  logsQuarantined: state.logsQuarantined,
  accepted: state.accepted,
  failures: state.failures,
  ...time("failingSince", state.failingSince),
  ...time("lastAttemptAt", state.lastAttemptAt),
  ...time("lastSuccessAt", state.lastSuccessAt),
  ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
})

/** A log with `--json`. */
export const logObject = ({ log, ...state }: SyncState) => ({
  kind: "log",
  peer: state.peer,
  topic: log.topic,
  origin: NodeId.format(log.origin),
  troubled: isTroubled({ log, ...state }),
  localHead: state.localHead,
  remoteHead: state.remoteHead,
  syncedHead: state.syncedHead,
  failures: state.failures,
  ...time("lastAttemptAt", state.lastAttemptAt),
  ...time("lastSuccessAt", state.lastSuccessAt),
  ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
  ...(state.quarantine === undefined
    ? {}
    : {
        quarantine: {
          offset: state.quarantine.offset,
          since: state.quarantine.since,
          kept: state.quarantine.isKept,
        },
      }),
})
