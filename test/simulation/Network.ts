/**
 * The network between machines: what they ask each other takes its time, gets lost, comes late or with an older answer
 * than the last, and does not come through where it is cut. A peer is a machine at the other end of a link.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { key as logKey, type LogHead } from "../../src/domain/LogId.ts"
import { type Peer, type PeerAnswer, type PeerMessage, PeerUnreachable } from "../../src/replication/index.ts"
import { encodeReplicas } from "../../src/storage/parts/ReplicaBlocks.ts"
import { peerName, type Session } from "./Machine.ts"
import type { LinkPlan, NetworkPlan } from "./Scenario.ts"
import type { Timeline } from "./Timeline.ts"

/** After so long without an answer a peer counts as unreachable, and a stream without a sign of life as lost. */
const deadlineMillis = 900

const calm: NetworkPlan = { loss: 0, noticeLoss: 0, stale: 0, part: 0, delayMax: 5 }

type Ways = ReadonlyArray<readonly [from: number, to: number]>

/** What a link of the network ends at. */
export interface Ends {
  /** The machine's session, while it is up. */
  readonly sessionOf: (machine: number) => Session | undefined
  readonly nameOf: (machine: number) => string
  readonly note: (who: string, what: () => string) => void
}

interface Notices {
  readonly from: number
  readonly to: number
  readonly queue: Queue.Queue<ReadonlyArray<LogHead>, PeerUnreachable>
}

/** Messages as some peers give them, or encoded, as others do: by turns. */
const answerOf = (from: number, messages: ReadonlyArray<PeerMessage>): PeerAnswer =>
  from % 2 === 0 ? messages : { first: from, blocks: encodeReplicas(messages) }

export class Network {
  #plan: NetworkPlan
  readonly #timeline: Timeline
  readonly #random: () => number
  readonly #ends: Ends
  /** How many cuts there are on each way. */
  readonly #cuts = new Map<string, number>()
  readonly #streams = new Set<Notices>()

  constructor(plan: NetworkPlan, timeline: Timeline, random: () => number, ends: Ends) {
    this.#plan = plan
    this.#timeline = timeline
    this.#random = random
    this.#ends = ends
  }

  /** Nothing comes through on these ways for a while. */
  cut(ways: Ways, millis: number): void {
    if (this.#plan === calm) return
    for (const [from, to] of ways) this.#cuts.set(wayOf(from, to), (this.#cuts.get(wayOf(from, to)) ?? 0) + 1)
    this.#timeline.after(millis, () => {
      if (this.#plan === calm) return
      for (const [from, to] of ways) this.#cuts.set(wayOf(from, to), (this.#cuts.get(wayOf(from, to)) ?? 1) - 1)
    })
    for (const notices of this.#streams) this.#watch(notices)
  }

  /** From now on everything comes through, soon. */
  heal(): void {
    this.#plan = calm
    this.#cuts.clear()
  }

  /** Whoever waits for a machine that died hears of it, where anything comes through. */
  died(machine: number): void {
    for (const notices of this.#streams) {
      if (notices.to !== machine) continue
      if (this.#isCut(machine, notices.from)) this.#timeline.after(deadlineMillis, () => this.#lose(notices))
      else this.#lose(notices)
    }
  }

  /** A machine as another one sees it. */
  peer(link: LinkPlan): Peer {
    const name = peerName(this.#ends.nameOf(link.to))
    const before = new Map<string, unknown>()
    const ask = <A>(what: string, answer: (session: Session) => Effect.Effect<A, { readonly message: string }>) =>
      this.#ask(link, what, before, answer)
    return {
      name,
      identity: ask("who are you", ({ node }) => Effect.succeed(node)),
      heads: ask("heads", ({ topics }) => topics.heads),
      fetch: (log, from, limit) =>
        ask(`fetch ${logKey(log)} ${from} ${limit}`, ({ topics }) => {
          if (log.topic === link.heldUp && this.#plan !== calm) return unreachable("it is held up")
          return Effect.map(topics.fetch(log.topic, { origin: log.origin, from, limit }), (page) =>
            answerOf(from, this.#part(page.slice(0, link.pageMax))),
          )
        }),
      moved: link.tells ? this.#moved(link) : Stream.never,
    }
  }

  #part(page: ReadonlyArray<PeerMessage>): ReadonlyArray<PeerMessage> {
    if (page.length < 2 || this.#random() >= this.#plan.part) return page
    return page.slice(0, 1 + Math.floor(this.#random() * (page.length - 1)))
  }

  /** A question, and its answer; or an answer that was given to the same question before. */
  #ask<A>(
    { from, to }: LinkPlan,
    what: string,
    before: Map<string, unknown>,
    answer: (session: Session) => Effect.Effect<A, { readonly message: string }>,
  ): Effect.Effect<A, PeerUnreachable> {
    // Plain code: this is most of what a simulation does.
    return Effect.callback((resume) => {
      const fail = (message: string) => resume(unreachable(message))
      const note = (came: () => string) => {
        const asked = what.replaceAll("\0", " ")
        this.#ends.note(this.#ends.nameOf(from), () => `asks ${this.#ends.nameOf(to)} ${asked}: ${came()}`)
      }
      this.#travel(from, to, fail, () => {
        const session = this.#ends.sessionOf(to)
        if (session === undefined) {
          note(() => "nobody is there")
          return this.#travel(to, from, fail, () => fail("nobody is there"))
        }
        this.#timeline.fork(answer(session)).addObserver((exit) => {
          const given = this.#maybeOlder(what, before, exit)
          this.#travel(to, from, fail, () => {
            if (!session.power.isOn) return fail("it died meanwhile")
            if (Exit.isFailure(given)) return fail(Cause.pretty(given.cause))
            note(() => describeAnswer(given.value))
            resume(Effect.succeed(given.value))
          })
        })
      })
    })
  }

  #maybeOlder<A, E>(what: string, before: Map<string, unknown>, given: Exit.Exit<A, E>): Exit.Exit<A, E> {
    if (this.#plan.stale === 0 || Exit.isFailure(given)) return given
    const older = before.get(what) as A | undefined
    if (older !== undefined && this.#random() < this.#plan.stale) return Exit.succeed(older)
    before.set(what, given.value)
    return given
  }

  /** The way of a message; fails, after a while, where it does not come through. */
  #travel(from: number, to: number, fail: (message: string) => void, arrive: () => void): void {
    const { loss } = this.#plan
    const isLost = () => {
      this.#ends.note(this.#ends.nameOf(from), () => `does not get through to ${this.#ends.nameOf(to)}`)
      this.#timeline.after(deadlineMillis, () => fail("no answer"))
    }
    if (this.#isCut(from, to) || (loss > 0 && this.#random() < loss)) return isLost()
    this.#timeline.after(this.#delay(), () => (this.#isCut(from, to) ? isLost() : arrive()))
  }

  /** At least a moment: nothing is anywhere at once. */
  #delay(): number {
    return 0.1 + this.#random() * this.#plan.delayMax
  }

  #isCut(from: number, to: number): boolean {
    return this.#cuts.size > 0 && (this.#cuts.get(wayOf(from, to)) ?? 0) > 0
  }

  /** What a machine is told of another one: late, twice, or not at all. */
  #moved(link: LinkPlan): Stream.Stream<ReadonlyArray<LogHead>, PeerUnreachable> {
    const { from, to } = link
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const session = yield* this.#ask(link, "tell me", new Map(), Effect.succeed)
        const queue = yield* Queue.unbounded<ReadonlyArray<LogHead>, PeerUnreachable>()
        const notices: Notices = { from, to, queue }
        const tell = (heads: ReadonlyArray<LogHead>) => this.#tell(notices, heads)
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            session.tellers.add(tell)
            this.#streams.add(notices)
          }),
          () =>
            Effect.sync(() => {
              session.tellers.delete(tell)
              this.#streams.delete(notices)
            }),
        )
        this.#timeline.after(this.#delay(), () => Queue.offerUnsafe(queue, []))
        return Stream.fromQueue(queue)
      }),
    )
  }

  #tell(notices: Notices, heads: ReadonlyArray<LogHead>): void {
    const { from, queue, to } = notices
    const { noticeLoss } = this.#plan
    if (noticeLoss > 0 && this.#random() < noticeLoss) return
    const deliver = () => {
      if (this.#isCut(to, from) || !this.#streams.has(notices)) return
      this.#ends.note(this.#ends.nameOf(from), () => `is told by ${this.#ends.nameOf(to)}: ${describeAnswer(heads)}`)
      Queue.offerUnsafe(queue, heads)
    }
    this.#timeline.after(this.#delay(), deliver)
    // A repeated or a stale one: both are heads as they were.
    if (this.#plan.stale > 0 && this.#random() < this.#plan.stale) {
      this.#timeline.after(this.#delay() + this.#plan.delayMax, deliver)
    }
  }

  /** Gives a stream up when it has been cut for too long. */
  #watch(notices: Notices): void {
    const isCut = () => this.#isCut(notices.from, notices.to) || this.#isCut(notices.to, notices.from)
    if (!isCut()) return
    this.#timeline.after(deadlineMillis, () => {
      if (isCut()) this.#lose(notices)
    })
  }

  #lose(notices: Notices): void {
    if (!this.#streams.delete(notices)) return
    const error = new PeerUnreachable({ message: "the connection is lost" })
    Queue.failCauseUnsafe(notices.queue, Cause.fail(error))
  }
}

const wayOf = (from: number, to: number): string => `${from} ${to}`

const unreachable = (message: string): Effect.Effect<never, PeerUnreachable> =>
  Effect.fail(new PeerUnreachable({ message }))

const describeAnswer = (given: unknown): string =>
  Array.isArray(given)
    ? given
        .map(
          ({ deleted, offset, origin, topic }: PeerMessage) =>
            `${topic}@${origin.device} ${offset}${deleted ? " (deleted)" : ""}`,
        )
        .join(", ") || "nothing"
    : "yes"
