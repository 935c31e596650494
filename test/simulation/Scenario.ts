/**
 * What happens in a simulation, told by its seed alone: who the nodes are and who asks whom, what the network and the
 * disks do to them, and what their users do, and when. Plain data.
 */
import { deleteMarkers } from "../../src/domain/Topic.ts"
import { makeRandom } from "../support/random.ts"

/** What befalls a node beside crashes; each kind has a verdict of its own (see `verdict`). */
export type Kind =
  | "ordinary"
  /** A disk is lost: its node comes back with an empty one, and may ask its peers in peace before anything else happens. */
  | "lost disk"
  /** The same, with the network as bad as ever: what nobody gives back in time is written anew. */
  | "lost disk in a bad moment"
  /** A node comes back on an older copy of its disk, and writes on. */
  | "old disk"
  /** Two nodes have one identity from the beginning. */
  | "clone"

export type Topology = "ring" | "one-way ring" | "line" | "star" | "mesh"

export interface LinkPlan {
  /** Who asks, and who is asked: machines by their number. */
  readonly from: number
  readonly to: number
  /** Whether the one that is asked tells of its own when something moves. */
  readonly tells: boolean
  readonly batch: number
  /** Messages that it gives at once, at most: the rest would be too many bytes. */
  readonly pageMax: number
  /** A topic of which it gives nothing until everything is well. */
  readonly heldUp: string | undefined
}

export interface NetworkPlan {
  /** How likely it is that a message gets lost, that a notice gets lost, and that an older answer comes instead. */
  readonly loss: number
  readonly noticeLoss: number
  readonly stale: number
  /** How likely it is that only the first part of a page comes. */
  readonly part: number
  /** How long a message takes, at most, in milliseconds. */
  readonly delayMax: number
}

export interface DiskPlan {
  /** How long a write takes, at most, in milliseconds. */
  readonly delayMax: number
  /** How likely it is that a write fails. */
  readonly failure: number
}

export type Step = { readonly at: number; readonly machine: number } & (
  | { readonly type: "publish"; readonly topic: string; readonly count: number; readonly atOnce: boolean }
  | { readonly type: "delete"; readonly topic: string; readonly from: number; readonly to: number }
  | {
      readonly type: "subscribe"
      readonly filter: string
      readonly from: "start" | "end" | "cursor" | number
      /** Whose log, where it is one log: a machine's. */
      readonly origin: number | undefined
      readonly pace: "fast" | "slow"
    }
  /** Dies at once, or at a write to its disk: just before that is made, or just after; and is back after a while. */
  | {
      readonly type: "crash"
      readonly afterWrites: number | undefined
      readonly made: boolean
      readonly downMillis: number
      readonly disk: "same" | "lost" | "old"
    }
  /** Closes properly, and is opened again. */
  | { readonly type: "restart"; readonly downMillis: number }
  /** The disk is copied, for later. */
  | { readonly type: "copy" }
  /** Nothing comes through from some machines to others, for a while; both ways or one way. */
  | {
      readonly type: "cut"
      readonly ways: ReadonlyArray<readonly [from: number, to: number]>
      readonly millis: number
    }
)

export interface Scenario {
  readonly seed: number
  readonly kind: Kind
  readonly topology: Topology
  /** The device of each machine's identity: two of one device are two of one identity. */
  readonly machines: ReadonlyArray<string>
  readonly links: ReadonlyArray<LinkPlan>
  readonly network: NetworkPlan
  readonly disk: DiskPlan
  /** When each machine is switched on first, in milliseconds: a newcomer gets all at once, from several others. */
  readonly openAt: ReadonlyArray<number>
  readonly steps: ReadonlyArray<Step>
  /** When everything is well again, in milliseconds. */
  readonly healAt: number
}

/** Whose identity is abused, or whose disk is lost: the first machine; its clone is the last one. */
export const victim = 0

/** Whether two nodes may come to have different logs of one identity: then they need not agree on that. */
export const mayConflict = ({ kind }: Scenario): boolean => kind !== "ordinary" && kind !== "lost disk"

const topics = ["a", "b", "b/c"]

const connections = (topology: Topology, count: number): ReadonlyArray<readonly [number, number]> => {
  const pairs: Array<readonly [number, number]> = []
  const both = (a: number, b: number) => pairs.push([a, b], [b, a])
  for (let i = 0; i < count; i++) {
    if (topology === "one-way ring") pairs.push([i, (i + 1) % count])
    if (topology === "ring") both(i, (i + 1) % count)
    if (topology === "line" && i > 0) both(i - 1, i)
    if (topology === "star" && i > 0) both(0, i)
    if (topology === "mesh") for (let j = 0; j < i; j++) both(j, i)
  }
  return pairs
}

/** How often each kind comes, of 100. */
const kinds: ReadonlyArray<readonly [Kind, number]> = [
  ["ordinary", 64],
  ["lost disk", 12],
  ["lost disk in a bad moment", 6],
  ["old disk", 9],
  ["clone", 9],
]

export const scenarioOf = (seed: number): Scenario => {
  const random = makeRandom(seed)
  const upTo = (max: number): number => Math.floor(random() * (max + 1))
  const oneOf = <A>(list: ReadonlyArray<A>): A => list[upTo(list.length - 1)]!
  const chance = (likelihood: number): boolean => random() < likelihood

  let left = random() * 100
  const kind = kinds.find(([, share]) => (left -= share) < 0)![0]
  const count = oneOf([3, 3, 3, 3, 4, 4, 5])
  // Nodes of one identity refuse each other: the others are to be connected all the same.
  const topologies: ReadonlyArray<Topology> = ["ring", "line", "mesh", "star", "one-way ring"]
  const topology = oneOf(kind === "clone" ? topologies.slice(0, 3) : topologies)
  const machines = Array.from({ length: count }, (_, i) => (kind === "clone" && i === count - 1 ? "n0" : `n${i}`))
  const areTelling = oneOf([0, 0.5, 1])
  const batch = oneOf([1, 2, 5, 100])
  const pageMax = oneOf([1, 2, 1000, 1000, 1000])
  const heldUp = oneOf([0, 0.5])
  const links = connections(topology, count).map(([from, to]) => ({
    from,
    to,
    tells: chance(areTelling),
    batch,
    pageMax,
    heldUp: chance(heldUp) ? oneOf([deleteMarkers, ...topics]) : undefined,
  }))
  const isBad = chance(0.6)
  const network: NetworkPlan = {
    loss: isBad ? oneOf([0, 0.05, 0.2]) : 0,
    noticeLoss: isBad ? oneOf([0, 0, 0.4]) : 0,
    stale: isBad ? oneOf([0, 0.1, 0.3]) : 0,
    part: chance(0.4) ? 0.3 : 0,
    delayMax: oneOf([5, 50, 400]),
  }
  const disk: DiskPlan = { delayMax: oneOf([0, 2, 20]), failure: chance(0.2) ? 0.1 : 0 }
  const healAt = oneOf([1500, 3000, 5000])

  const newcomer = kind === "ordinary" && chance(0.5) ? upTo(count - 1) : undefined
  const openAt = machines.map((_, i) => (i === newcomer ? Math.floor(healAt * (0.5 + random() * 0.4)) : 0))

  const origin = () => upTo(count - 1)
  const filters = ["#", "b/#", "+", ...topics]
  const cut = (at: number): Step => {
    const side = Array.from({ length: count }, () => chance(0.5))
    const oneWay = chance(0.3)
    const ways = links
      .flatMap(({ from, to }): ReadonlyArray<readonly [number, number]> => [
        [from, to],
        [to, from],
      ])
      .filter(([from, to]) => side[from] !== side[to] && (!oneWay || side[from] === true))
    return { type: "cut", at, machine: 0, ways, millis: 200 + upTo(healAt) }
  }
  const crash = (disk: "same" | "lost" | "old", machine: number, at: number): Step => ({
    type: "crash",
    at,
    machine,
    afterWrites: chance(0.7) ? upTo(4) : undefined,
    made: chance(0.6),
    downMillis: 10 + upTo(chance(0.5) ? 100 : 1500),
    disk,
  })
  const published: Array<{ readonly at: number; readonly machine: number; readonly topic: string }> = []
  const step = (): Step => {
    const machine = upTo(count - 1)
    const at = upTo(healAt - 100)
    const what = random()
    if (what < 0.45) {
      const place = { at, machine, topic: oneOf(topics) }
      published.push(place)
      return { type: "publish", ...place, count: 1 + upTo(5), atOnce: chance(0.5) }
    }
    if (what < 0.62) {
      // Often of something that is on its way to others.
      const earlier = published.length > 0 && chance(0.6) ? oneOf(published) : { at, machine, topic: oneOf(topics) }
      const soon = { ...earlier, at: Math.min(earlier.at + upTo(500), healAt - 100) }
      const from = 1 + upTo(5)
      return { type: "delete", ...soon, from, to: from + upTo(4) }
    }
    if (what < 0.76) {
      const pace = chance(0.3) ? "slow" : "fast"
      const filter = oneOf(filters)
      const isOneLog = topics.includes(filter) && chance(0.5)
      const from = isOneLog ? 1 + upTo(8) : oneOf(["start", "start", "end", "cursor"] as const)
      return { type: "subscribe", at, machine, filter, from, origin: isOneLog ? origin() : undefined, pace }
    }
    if (what < 0.88) return crash("same", machine, at)
    if (what < 0.92) return { type: "restart", at, machine, downMillis: upTo(300) }
    return cut(at)
  }
  let steps: Array<Step> = Array.from({ length: 8 + upTo(12) }, step)
  // Something to follow from the beginning, at somebody who gets it from others.
  const first = { type: "subscribe", at: 0, filter: "#", from: "start", origin: undefined, pace: "fast" } as const
  steps.push({ ...first, machine: upTo(count - 1) })
  const lostAt = Math.floor(healAt * (0.3 + random() * 0.5))
  if (kind === "lost disk in a bad moment") steps.push(crash("lost", victim, lostAt))
  if (kind === "lost disk") {
    // From then on all is well with the others.
    steps = steps.filter(({ at, type }) => at < lostAt || (type !== "crash" && type !== "restart" && type !== "cut"))
    steps.push(crash("lost", victim, lostAt))
  }
  if (kind === "old disk") {
    steps.push({ type: "copy", machine: victim, at: Math.floor(healAt * random() * 0.4) })
    steps.push(crash("old", victim, Math.floor(healAt * (0.5 + random() * 0.4))))
  }
  return {
    seed,
    kind,
    topology,
    machines,
    links,
    network,
    disk,
    openAt,
    steps: steps.toSorted((a, b) => a.at - b.at),
    healAt,
  }
}
