/**
 * Runs a scenario: machines that get their messages from each other over a bad network, on disks that fail, in virtual
 * time. Then everything is well again, and when all is quiet the history is given to the judge. The same seed is the same
 * simulation, to the last step.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format, key as logKey, type LogId } from "../../src/domain/LogId.ts"
import { equals, type NodeId } from "../../src/domain/NodeId.ts"
import { makeDisk, type MemoryDisk } from "../../src/storage/memory/index.ts"
import type { Deletion, Outcome, Verdict, Write } from "../../src/testing/history.ts"
import { copyOf } from "./Disk.ts"
import { Lives } from "./Lives.ts"
import { Machine, type Session } from "./Machine.ts"
import { Network } from "./Network.ts"
import { parts as rightParts, type Parts } from "./parts.ts"
import { makeRandom } from "../support/random.ts"
import { mayConflict, type Scenario, scenarioOf, type Step, victim } from "./Scenario.ts"
import { Timeline } from "./Timeline.ts"
import { judge, storedOn } from "./verdict.ts"

/** After everything is well again, nodes have so long to agree; then they count as stuck. */
const patienceMillis = 60_000
/** How long it has to stay quiet then, how long subscribers may take, and how long nodes that cannot agree are left to find
 * that out. */
const quietMillis = 900
const readersMillis = 100
/** After so long nothing is on its way any more. */
const settleMillis = 1500
const conflictMillis = 2600

export interface SimulationOptions {
  readonly parts?: Parts | undefined
  /** Told all that happens. */
  readonly trace?: ((line: string) => void) | undefined
}

export interface Simulated {
  readonly scenario: Scenario
  readonly verdict: Verdict
  /** Virtual milliseconds that it took. */
  readonly tookMillis: number
}

export const simulate = (seed: number, { parts = rightParts, trace }: SimulationOptions = {}): Simulated => {
  const scenario = scenarioOf(seed)
  const world = new World(scenario, parts, trace)
  return { scenario, verdict: world.run(), tookMillis: world.timeline.elapsed }
}

class World {
  readonly timeline = new Timeline()
  readonly #scenario: Scenario
  readonly #trace: ((line: string) => void) | undefined
  readonly #random: () => number
  readonly #network: Network
  readonly #machines: ReadonlyArray<Machine>
  #diskPlan: Scenario["disk"]
  readonly #writes: Array<Write> = []
  readonly #deletions: Array<Deletion> = []
  readonly #lives = new Lives()
  #copy = makeDisk()
  #contents = 0
  /** Users that are writing. */
  #busy = 0

  constructor(scenario: Scenario, parts: Parts, trace: ((line: string) => void) | undefined) {
    this.#scenario = scenario
    this.#trace = trace
    this.#diskPlan = scenario.disk
    // Another sequence than the one that the scenario was made from.
    this.#random = makeRandom(~scenario.seed)
    const note = (who: string, what: () => string) => this.#note(who, what)
    this.#network = new Network(scenario.network, this.timeline, this.#random, {
      sessionOf: (machine) => this.#machines[machine]!.session,
      nameOf: (machine) => `m${machine}`,
      note,
    })
    const around = {
      parts,
      timeline: this.timeline,
      random: this.#random,
      diskPlan: () => this.#diskPlan,
      note,
      died: ({ number }: Machine) => this.#network.died(number),
      wrote: (machine: Machine) => this.#lives.wrote(machine),
      tookOwn: ({ name }: Machine, log: LogId) =>
        this.#lives.takenBack.push(`${name} took ${format(log)} from a peer, and has not lost it`),
    }
    const nodes = scenario.machines.map((device) => ({ tenant: "t", line: "l", device }))
    this.#machines = nodes.map((node, number) => {
      const links = scenario.links.filter(({ from }) => from === number)
      const peers = () =>
        links.map((link) => ({
          peer: this.#network.peer(link),
          settings: { identity: nodes[link.to]!, batch: link.batch },
        }))
      return new Machine(number, `m${number}`, node, around, peers)
    })
  }

  run(): Verdict {
    const { healAt, kind, openAt, steps } = this.#scenario
    this.#machines.forEach((machine, i) => this.timeline.after(openAt[i]!, () => machine.open()))
    for (const step of steps) this.timeline.after(step.at, () => this.#take(step))
    this.timeline.run(healAt)
    this.#heal(this.#machines.filter((machine) => !(kind === "lost disk" && machine.number === victim)))
    let next = this.timeline.elapsed
    while (!this.#agree() && next < healAt + patienceMillis) this.timeline.run((next += 100))
    this.#rest(mayConflict(this.#scenario) ? conflictMillis : quietMillis, healAt + 2 * patienceMillis)
    for (const machine of this.#machines) {
      const final = storedOn(machine.disk)
      for (const reader of machine.readers) machine.fork(reader.finish(final))
    }
    this.timeline.run(this.timeline.elapsed + readersMillis)
    const verdict = judge({
      scenario: this.#scenario,
      machines: this.#machines,
      writes: this.#writes,
      deletions: this.#deletions,
      lives: this.#lives,
    })
    for (const machine of this.#machines) machine.close()
    this.timeline.run(this.timeline.elapsed + readersMillis)
    return verdict
  }

  /** Until nothing new has been stored anywhere for a while: what came last is looked at by others after that. */
  #rest(millis: number, atMost: number): void {
    const stored = () => this.#machines.reduce((sum, { disk }) => sum + disk.journal.length, 0)
    let before = -1
    while (stored() > before && this.timeline.elapsed < atMost) {
      before = stored()
      this.timeline.run(this.timeline.elapsed + millis)
    }
  }

  #heal(machines: ReadonlyArray<Machine>): void {
    this.#note("all", () => "is well again")
    this.#network.heal()
    this.#diskPlan = { delayMax: this.#scenario.disk.delayMax, failure: 0 }
    for (const machine of machines) {
      machine.recover()
      machine.open()
    }
  }

  /** Whether all machines are up, with their own logs, and have the same, as far as a glance shows, and as far as they can agree. */
  #agree(): boolean {
    const isReady = ({ session }: Machine) => session !== undefined && Deferred.isDoneUnsafe(session.isReady)
    if (this.#busy > 0 || !this.#machines.every(isReady)) return false
    const abused = mayConflict(this.#scenario) ? this.#machines[victim]!.node : undefined
    const [first, ...others] = this.#machines.map(({ disk }) => glanceAt(disk, abused))
    return others.every((other) => other === first)
  }

  #take(step: Step): void {
    const machine = this.#machines[step.machine]!
    switch (step.type) {
      case "publish":
        return this.#publish(machine, step)
      case "delete":
        return this.#delete(machine, step)
      case "subscribe": {
        const { filter, from, pace } = step
        const origin = step.origin === undefined ? undefined : this.#machines[step.origin]!.node
        const name = `${machine.name}, subscriber ${machine.readers.length + 1} of ${filter} from ${from}`
        machine.note(() => `subscribes to ${filter} from ${from}`)
        return machine.subscribe({ name, filter, from, origin, pace })
      }
      case "crash":
        return this.#crash(machine, step)
      case "restart":
        if (machine.session === undefined) return
        machine.whenDown = () => machine.openAfter(step.downMillis)
        return machine.close()
      case "copy":
        this.#copy = copyOf(machine.disk, false)
        return
      case "cut":
        this.#note("network", () => `is cut: ${step.ways.map(([from, to]) => `m${from}>m${to}`)}`)
        return this.#network.cut(step.ways, step.millis)
    }
  }

  #crash(machine: Machine, { afterWrites, disk, downMillis, made }: Extract<Step, { type: "crash" }>): void {
    const others = this.#machines.filter((other) => other !== machine)
    const replaced = () => {
      machine.note(() => `comes back with ${disk === "lost" ? "an empty disk" : "an older disk"}`)
      this.#lives.ended(machine, others)
      machine.replaceDisk(disk === "lost" ? makeDisk() : this.#copy)
      if (disk === "lost") this.#forgetWhatIsNowhere(machine, others)
    }
    if (disk === "same" && machine.isDown) return
    const whenDown = () => {
      if (disk !== "same") replaced()
      if (disk === "lost" && this.#scenario.kind === "lost disk") return this.#openWhenNothingIsMissing(machine, others)
      machine.openAfter(downMillis)
    }
    if (machine.isDown) return whenDown()
    machine.whenDown = whenDown
    machine.crash(disk === "same" ? afterWrites : undefined, made)
  }

  /** Opens a machine with an empty disk as soon as those that it asks have all that anybody has of its logs. */
  #openWhenNothingIsMissing(machine: Machine, others: ReadonlyArray<Machine>): void {
    this.#heal(others)
    machine.stayDown()
    const asked = this.#scenario.links
      .filter(({ from }) => from === machine.number)
      .map(({ to }) => this.#machines[to]!)
    const headOf = (key: string) => (other: Machine) => other.disk.logs.get(key)?.positions.length ?? 0
    const isMissing = (key: string) =>
      others.some((other) => asked.every((peer) => headOf(key)(peer) < headOf(key)(other)))
    const isReady = () =>
      asked.every(({ session }) => session !== undefined) &&
      !others.some(({ disk }) =>
        [...disk.logs].some(([key, { log }]) => log.origin.device === machine.node.device && isMissing(key)),
      )
    const look = () => (isReady() ? machine.openAfter(0) : void this.timeline.after(100, look))
    // What was on its way from the lost disk comes first, or never.
    this.timeline.after(settleMillis, look)
  }

  /** What was on a lost disk alone is lost, and nobody's fault. */
  #forgetWhatIsNowhere(lost: Machine, others: ReadonlyArray<Machine>): void {
    const isElsewhere = ({ offset, origin, topic }: Write) =>
      others.some(({ disk }) => (disk.logs.get(logKey({ topic, origin }))?.positions.length ?? 0) >= offset!)
    this.#writes.forEach((write, i) => {
      if (write.origin !== lost.node || write.outcome !== "ok" || isElsewhere(write)) return
      this.#writes[i] = { ...write, outcome: "unknown", offset: undefined }
    })
    this.#deletions.forEach((deletion, i) => {
      const { from, to } = deletion
      if (this.#lives.isForgotten(deletion, from, to)) this.#deletions[i] = { ...deletion, outcome: "unknown" }
    })
  }

  #publish(machine: Machine, { atOnce, count, topic }: Extract<Step, { type: "publish" }>): void {
    const { session } = machine
    if (session === undefined) return
    const step = ++this.#contents
    const one = (i: number) =>
      this.#publishOne(machine, session, topic, `${step}.${i}`, atOnce ? `${step}.${i}` : `${step}`)
    const each = Array.from({ length: count }, (_, i) => i + 1)
    const all = Effect.forEach(each, one, { discard: true, concurrency: atOnce ? "unbounded" : 1 })
    this.#work(machine, session, all)
  }

  #publishOne(machine: Machine, session: Session, topic: string, content: string, writer: string) {
    const { node: origin } = machine
    return session.topics.publish(topic, content, { headers: { of: machine.name } }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          const outcome = outcomeOf(exit, session)
          const offset = Exit.isSuccess(exit) ? exit.value.offset : undefined
          machine.note(() => `publishes ${content} to ${topic}: ${outcome} ${offset ?? ""}`)
          this.#writes.push({ writer, topic, origin, content, outcome, offset })
        }),
      ),
      Effect.ignore,
    )
  }

  #delete(machine: Machine, { from, to, topic }: Extract<Step, { type: "delete" }>): void {
    const { node: origin, session } = machine
    if (session === undefined) return
    const deleting = Effect.suspend(() => {
      const head = machine.disk.logs.get(logKey({ topic, origin }))?.positions.length ?? 0
      return session.topics.deleteRange(topic, from, to).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const outcome = outcomeOf(exit, session)
            machine.note(() => `deletes ${topic} ${from} to ${to}: ${outcome}`)
            this.#deletions.push({ topic, origin, from, to: Math.min(to, head), outcome })
          }),
        ),
        Effect.ignore,
      )
    })
    this.#work(machine, session, deleting)
  }

  /** What a user does at a machine as soon as that is ready. */
  #work(machine: Machine, session: Session, work: Effect.Effect<void>): void {
    this.#busy += 1
    const done = Effect.sync(() => void (this.#busy -= 1))
    machine.fork(Deferred.await(session.isReady).pipe(Effect.andThen(work), Effect.ensuring(done)))
  }

  #note(who: string, what: () => string): void {
    this.#trace?.(`${this.timeline.elapsed.toFixed(1).padStart(9)} ${who.padEnd(4)} ${what()}`)
  }
}

/** The logs on a disk but those of one node: how long they are, and how much is deleted. */
const glanceAt = ({ journal, logs }: MemoryDisk, but: NodeId | undefined): string => {
  const heads: Array<string> = []
  for (const [key, { log, positions }] of logs) {
    if (positions.length === 0 || (but !== undefined && equals(log.origin, but))) continue
    const deleted = positions.filter((position) => journal[position - 1]?.deleted === true)
    heads.push(`${key} ${positions.length} ${deleted.length}`)
  }
  return heads.toSorted().join()
}

/** Who dies does not say what came of it. */
const outcomeOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>, { power }: Session): Outcome => {
  if (Exit.isSuccess(exit)) return "ok"
  const error = Cause.findErrorOption(exit.cause)
  if (!power.isOn || error._tag === "None") return "unknown"
  return error.value._tag === "OutcomeUnknown" ? "unknown" : "failed"
}
