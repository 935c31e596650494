/**
 * What one principal may do: the one function that decides, on every path. Plain code, for hot paths.
 *
 * Permissions do not change. Who connects keeps what was there then; new rules are other permissions, and whoever holds
 * old ones is told by `Access`.
 *
 * Patterns over topics are those of the live plane: a wildcard stands for every part, also where a topic begins with `$`
 * or `.`. On the durable plane a filter matches the same or less, so one answer is right for both. What is subscribed to,
 * and the mask of a broadcast, must lie within one of the patterns as a whole.
 */
import { primaryOf } from "../domain/ClientName.ts"
import * as LiveTopic from "../domain/LiveTopic.ts"
import * as NameMask from "../domain/NameMask.ts"
import { aliveQueueOf } from "../domain/QueueItem.ts"
import { type ObjectKind, type Verb, verbNames, verbs } from "./Verb.ts"

/** What is allowed of a verb: all, or what matches one of the patterns. */
export type Allowance = "any" | ReadonlyArray<string>

/** Allowances by verb; an absent one allows nothing. */
export type Allowances = Readonly<Partial<Record<Verb, Allowance>>>

export interface Permissions {
  /** Whose they are. */
  readonly principal: string
  /**
   * Whether this may be done to that: the name of a receiver, the mask of a broadcast, a topic, a filter to read, a
   * queue's name, an operation.
   */
  readonly allows: (verb: Verb, object: string) => boolean
  /** Whether a verb is without limits, so that no object needs to be looked at. */
  readonly allowsAll: (verb: Verb) => boolean
  /** Whether there is anything that the verb may be done to. */
  readonly allowsSome: (verb: Verb) => boolean
}

type Decide = (object: string) => boolean

const always: Decide = () => true
const never: Decide = () => false

interface Matching {
  /** Whether a pattern without wildcards has to be looked at as a pattern, and not just as a name. */
  readonly compile: (pattern: string) => Decide
  readonly hasWildcard: (pattern: string) => boolean
}

const topics = { compile: LiveTopic.matcher, hasWildcard: LiveTopic.hasWildcard }
const filters = { compile: LiveTopic.container, hasWildcard: LiveTopic.hasWildcard }

const matchings: Readonly<Record<ObjectKind, Matching>> = {
  name: { compile: NameMask.matcher, hasWildcard: NameMask.hasWildcard },
  mask: { compile: NameMask.container, hasWildcard: NameMask.hasWildcard },
  topic: topics,
  filter: filters,
  queue: topics,
  operation: { compile: () => never, hasWildcard: () => false },
}

/** From so many patterns on, answers are remembered. */
const rememberedFrom = 8
const rememberedMax = 512
const rememberedLengthMax = 256

/** Remembers the last answers, for objects that are not long. */
const remembering = (decide: Decide): Decide => {
  const known = new Map<string, boolean>()
  return (object) => {
    const before = known.get(object)
    if (before !== undefined) return before
    const answer = decide(object)
    if (object.length <= rememberedLengthMax) {
      if (known.size >= rememberedMax) known.clear()
      known.set(object, answer)
    }
    return answer
  }
}

const byPatterns = (kind: ObjectKind, patterns: ReadonlyArray<string>): Decide => {
  const { compile, hasWildcard } = matchings[kind]
  const exact = new Set(patterns.filter((pattern) => !hasWildcard(pattern)))
  const wild = patterns.filter(hasWildcard).map(compile)
  if (wild.length === 0) return (object) => exact.has(object)
  const decide: Decide = (object) => {
    if (exact.has(object)) return true
    for (const matches of wild) if (matches(object)) return true
    return false
  }
  return wild.length < rememberedFrom ? decide : remembering(decide)
}

const decideBy = (verb: Verb, allowance: Allowance | undefined): Decide => {
  if (allowance === "any") return always
  if (allowance === undefined || allowance.length === 0) return never
  const decide = byPatterns(verbs[verb].objects, allowance)
  switch (verb) {
    // A secondary is the same application as its primary.
    case "send":
      return (target) => decide(primaryOf(target))
    // What fails in a queue goes to its dead queue: who has the one has the other.
    case "queue":
      return (queue) => {
        const alive = aliveQueueOf(queue)
        return decide(queue) || (alive !== undefined && decide(alive))
      }
    default:
      return decide
  }
}

/** Compiles what a principal is allowed. */
export const make = (principal: string, allowances: Allowances): Permissions => {
  const deciding = {} as Record<Verb, Decide>
  for (const verb of verbNames) deciding[verb] = decideBy(verb, allowances[verb])
  return {
    principal,
    allows: (verb, object) => deciding[verb](object),
    allowsAll: (verb) => deciding[verb] === always,
    allowsSome: (verb) => deciding[verb] !== never,
  }
}

/** May do everything: where there are no rules. */
export const all = (principal: string): Permissions =>
  make(principal, Object.fromEntries(verbNames.map((verb) => [verb, "any"])))
