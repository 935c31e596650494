/**
 * The judge of a simulation. What must hold for all logs is said by the history checker; what must hold where one identity
 * was used twice, or went back in time, is said here:
 *
 * 1. The logs of all other nodes are whole, and the same everywhere.
 * 2. Whatever of that identity's logs is on a disk was written in one of its lives: two are never mixed.
 * 3. Where two nodes, of which one asks the other, have different messages at one place, one of them says so.
 * 4. What a subscriber saw is what its node has.
 * 5. A node takes its own log from nobody, unless its store has never been in step with its peers.
 */
import { key as logKey, type LogId } from "../../src/domain/LogId.ts"
import { equals, type NodeId } from "../../src/domain/NodeId.ts"
import type { MemoryDisk } from "../../src/storage/memory/index.ts"
import {
  check,
  type Deletion,
  type Fault,
  faults,
  type Read,
  type Verdict,
  type Write,
} from "../../src/testing/history.ts"
import { storedOf, type Stored } from "../../src/testing/reader.ts"
import { idsOf, type Lives } from "./Lives.ts"
import type { Machine } from "./Machine.ts"
import { mayConflict, type Scenario, victim } from "./Scenario.ts"

export interface Evidence {
  readonly scenario: Scenario
  readonly machines: ReadonlyArray<Machine>
  readonly writes: ReadonlyArray<Write>
  readonly deletions: ReadonlyArray<Deletion>
  readonly lives: Lives
}

/** All that is on a disk, log by log. */
export const storedOn = ({ journal }: MemoryDisk): ReadonlyArray<Stored> =>
  journal
    .filter((message) => message !== undefined)
    .map((message) => ({ ...storedOf(message), key: logKey(message), createdAt: message.createdAt }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.offset - b.offset))

export const judge = (evidence: Evidence): Verdict => {
  const { lives, machines, scenario } = evidence
  const abused = mayConflict(scenario) ? machines[victim]!.node : undefined
  const isAbused = ({ origin }: Pick<LogId, "origin">) => abused !== undefined && equals(origin, abused)
  const findings: Array<Finding> = []
  const verdicts = [checkLogs(evidence, (log) => !isAbused(log))]
  for (const { finding, origin } of lives.changed) if (!isAbused({ origin })) findings.push(["divergent", finding])
  for (const finding of lives.takenBack) findings.push(["phantom", finding])
  if (abused !== undefined) {
    findings.push(...mixed(evidence, abused), ...unsaid(evidence, abused))
    for (const machine of machines) verdicts.push(checkLocally(evidence, machine, isAbused))
  }
  return sum(verdicts, findings)
}

type Finding = readonly [Fault, string]
type Concerns = (log: Pick<LogId, "origin">) => boolean

/** All nodes have the same of some logs, and it is what was written; every subscriber has seen it. */
const checkLogs = (evidence: Evidence, concerns: Concerns): Verdict => {
  const [victims, ...others] = evidence.machines
  const [first, ...rest] = [...others, victims!]
  const { lives } = evidence
  const contents = (machine: Machine) =>
    storedOn(machine.disk)
      .filter(concerns)
      .map((seen) => (lives.isForgotten(seen, seen.offset) ? { ...seen, deleted: true, content: "" } : seen))
  return check({
    writes: allWrites(evidence).filter(concerns),
    deletions: evidence.deletions.filter(concerns),
    final: contents(first!),
    replicas: rest.map((machine) => ({ node: machine.name, seen: contents(machine) })),
    reads: evidence.machines.flatMap((machine) => readsOf(machine, concerns)),
  })
}

/** What one node has of some logs is whole, was written by somebody, and is what its subscribers saw. */
const checkLocally = (evidence: Evidence, machine: Machine, concerns: Concerns): Verdict =>
  check({
    writes: allWrites(evidence)
      .filter(concerns)
      .map((write) => ({ ...write, outcome: "unknown" as const })),
    deletions: [],
    final: storedOn(machine.disk).filter(concerns),
    reads: readsOf(machine, concerns),
  })

const allWrites = ({ lives, writes }: Evidence): ReadonlyArray<Write> => [
  ...writes,
  ...lives.markers.map((marker): Write => {
    const { content, offset, origin, topic } = storedOf(marker)
    return { writer: "deletions", topic, origin, offset, content, outcome: "unknown" }
  }),
]

/** What the subscribers of a node saw of some logs. */
const readsOf = (machine: Machine, concerns: Concerns): ReadonlyArray<Read> =>
  machine.readers.map((reader) => {
    const { expected, reader: name, seen } = reader.read()
    const own = new Set(seen.filter(concerns).map(logKey))
    for (const stored of machine.disk.logs.values()) if (concerns(stored.log)) own.add(logKey(stored.log))
    return {
      reader: name,
      seen: seen.filter(concerns),
      expected: new Map([...expected].filter(([key]) => own.has(key))),
    }
  })

/** Logs of a node that were written in none of its lives as they are. */
function* mixed({ lives, machines }: Evidence, node: NodeId): Generator<Finding> {
  const lineages = lives.lineages(node, machines)
  for (const { disk, name } of machines) {
    for (const [key, ids] of idsOf(disk, node)) {
      if (lineages.some((life) => ids.every((id, i) => life.get(key)?.[i] === id))) continue
      yield ["divergent", `${name}: ${key.replaceAll("\0", " ")} is a mixture of what was written in several lives`]
    }
  }
}

/** Logs of a node that are different here and there, and neither of the two says that anything is wrong. */
function* unsaid({ machines, scenario }: Evidence, node: NodeId): Generator<Finding> {
  const says = (here: Machine, there: Machine, key: string): boolean => here.complains(key, there.name)
  for (const { from, to } of scenario.links) {
    const here = machines[from]!
    const there = machines[to]!
    const theirs = idsOf(there.disk, node)
    for (const [key, ids] of idsOf(here.disk, node)) {
      const differs = theirs.get(key)?.some((id, i) => ids[i] !== undefined && ids[i] !== id) === true
      if (!differs || says(here, there, key) || says(there, here, key)) continue
      yield [
        "divergent",
        `${here.name} and ${there.name} have different messages in ${key.replaceAll("\0", " ")}, and are silent`,
      ]
    }
  }
}

const sum = (verdicts: ReadonlyArray<Verdict>, findings: ReadonlyArray<Finding>): Verdict => {
  const counts = Object.fromEntries(
    faults.map((fault) => [
      fault,
      verdicts.reduce((total, verdict) => total + verdict.counts[fault], 0) +
        findings.filter(([found]) => found === fault).length,
    ]),
  ) as Verdict["counts"]
  return {
    counts,
    findings: [...verdicts.flatMap((verdict) => verdict.findings), ...findings.map((finding) => finding.join(": "))],
    isClean: faults.every((fault) => counts[fault] === 0),
  }
}
