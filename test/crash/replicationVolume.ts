/**
 * Daemons that get many messages of each other, while ranges of these are deleted: before anybody has got them, while they are on
 * their way, and when all have them.
 */
import { Effect, type Scope } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import * as Fleet from "./Fleet.ts"

/** Messages of one publish. */
const batchMessages = 5000
const lookEveryMillis = 20

/** The log of a member's own messages on a topic. */
export const logOf = ({ id }: Fleet.Member, topic: string): LogId.LogId => ({ topic, origin: id })

/** Publishes so many messages of 100 bytes to a topic, in large batches. */
export const fill = ({ topics }: Fleet.Member, topic: string, count: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(count / batchMessages) }, (_, i) => i * batchMessages),
    (begin) =>
      topics.publishAll(
        Array.from({ length: Math.min(batchMessages, count - begin) }, (_, i) => ({
          topic,
          payload: `${topic} ${begin + i + 1}`.padEnd(100, "."),
        })),
      ),
    { discard: true },
  )

/** Waits until a member has a log up to an offset. */
export const untilHas = ({ topics }: Fleet.Member, { topic, origin }: LogId.LogId, offset: number) =>
  Effect.repeat(Effect.delay(topics.head(topic, origin), lookEveryMillis), {
    until: (head) => head._tag === "Some" && head.value >= offset,
  })

export interface VolumeOptions extends Pick<Fleet.FleetOptions, "storages"> {
  /** On each topic. */
  readonly messages: number
  /** For each member, the topics that it publishes to. */
  readonly topics: ReadonlyArray<ReadonlyArray<string>>
}

/** Ranges that are deleted of each log, one after another, as parts of it; they overlap nowhere. */
const deleted = { before: [0.01, 0.02], during: [0.6, 0.7], after: [0.8, 0.81] } as const

/** How much of each log is deleted in the end. */
export const deletedOf = (messages: number): number =>
  Object.values(deleted).reduce((sum, [from, to]) => sum + Math.round(messages * to) - Math.round(messages * from), 0)

/** Gives what each member has of each log in the end. */
export const volume = ({
  messages,
  topics,
  ...options
}: VolumeOptions): Effect.Effect<ReadonlyArray<Readonly<Record<string, Fleet.LogContent>>>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const fleet = yield* Fleet.make(options)
    const delete_ = (when: keyof typeof deleted, member: Fleet.Member, of: ReadonlyArray<string>) => {
      const [from, to] = deleted[when].map((part) => Math.round(messages * part))
      return Effect.forEach(of, (topic) => member.topics.deleteRange(topic, from! + 1, to!), { discard: true })
    }
    // Each has published before the next one is there.
    for (const [i, member] of fleet.entries()) {
      yield* member.daemon.start
      yield* Effect.forEach(topics[i]!, (topic) => fill(member, topic, messages), { discard: true })
      yield* delete_("before", member, topics[i]!)
    }
    for (const [i, member] of fleet.entries()) {
      const other = fleet[(i + 1) % fleet.length]!
      yield* Effect.forEach(topics[i]!.slice(0, 1), (topic) => untilHas(other, logOf(member, topic), 1))
      yield* delete_("during", member, topics[i]!)
    }
    yield* Fleet.converged(fleet)
    yield* Effect.forEach(fleet, (member, i) => delete_("after", member, topics[i]!), { discard: true })
    yield* Fleet.converged(fleet)
    return yield* Effect.forEach(fleet, (member) => Fleet.contentOf(member))
  })
