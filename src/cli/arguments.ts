/**
 * What is written on the command line, checked: each function gives the value, or a sentence on what it takes.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InvalidArgument } from "../domain/errors.ts"
import type * as LogId from "../domain/LogId.ts"
import * as LiveTopic from "../domain/LiveTopic.ts"
import { cursorProblem } from "../domain/NamedCursor.ts"
import * as NodeId from "../domain/NodeId.ts"
import { queueProblem } from "../domain/QueueItem.ts"
import * as Topic from "../domain/Topic.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import { readLogName } from "./io/messageFormat.ts"
import { UsageError } from "./UsageError.ts"

const checked = (text: string, problem: string | undefined): Effect.Effect<string, UsageError> =>
  problem === undefined ? Effect.succeed(text) : Effect.fail(new UsageError({ message: problem }))

export const topic = (text: string) => checked(text, Topic.problem(text))

export const queue = (text: string) => checked(text, queueProblem(text))

export const cursor = (text: string) => checked(text, cursorProblem(text))

export const topicFilter = (text: string) => checked(text, TopicFilter.problem(text))

export const liveTopic = (text: string) => checked(text, LiveTopic.problem(text))

export const liveFilter = (text: string) => checked(text, LiveTopic.filterProblem(text))

/** A whole number from `min` on, as digits. */
export const wholeNumber = (name: string, text: string, min: number): Effect.Effect<number, UsageError> => {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) && value >= min
    ? Effect.succeed(value)
    : Effect.fail(
        new UsageError({ message: `${name} takes a whole number from ${min} on, not ${JSON.stringify(text)}` }),
      )
}

export const optionalWholeNumber = (
  name: string,
  text: Option.Option<string>,
  min: number,
): Effect.Effect<number | undefined, UsageError> =>
  Option.isNone(text) ? Effect.undefined : wholeNumber(name, text.value, min)

export const origin = (text: Option.Option<string>): Effect.Effect<NodeId.NodeId | undefined, InvalidArgument> =>
  Option.isNone(text) ? Effect.undefined : NodeId.parse(text.value)

/** `topic@tenant/line/device`, as `heads` prints it. */
export const log = (text: string): Effect.Effect<LogId.LogId, UsageError | InvalidArgument> =>
  Effect.gen(function* () {
    const found = readLogName(text)
    if (found === undefined) {
      const message = `a log is written topic@tenant/line/device, as heads prints it, not ${JSON.stringify(text)}`
      return yield* new UsageError({ message })
    }
    return { topic: yield* topic(found.topic), origin: yield* NodeId.parse(found.origin) }
  })

/** `start`, `end` or an offset. */
export const start = (text: string): Effect.Effect<"start" | "end" | number, UsageError> => {
  if (text === "start" || text === "end") return Effect.succeed(text)
  return Effect.mapError(
    wholeNumber("--from", text, 1),
    () => new UsageError({ message: `--from takes start, end or an offset from 1 on, not ${JSON.stringify(text)}` }),
  )
}

/** `start`, `end` or a position of the journal. */
export const place = (text: string): Effect.Effect<"start" | "end" | number, UsageError> => {
  if (text === "start" || text === "end") return Effect.succeed(text)
  return Effect.mapError(
    wholeNumber("--to", text, 0),
    () => new UsageError({ message: `--to takes start, end or a position from 0 on, not ${JSON.stringify(text)}` }),
  )
}

/** `name=value` each; a name may come once. */
export const headers = (entries: ReadonlyArray<string>): Effect.Effect<Record<string, string>, UsageError> =>
  Effect.suspend(() => {
    const found = Object.create(null) as Record<string, string>
    for (const entry of entries) {
      const end = entry.indexOf("=")
      if (end < 1) {
        return new UsageError({ message: `--header takes name=value, not ${JSON.stringify(entry)}` })
      }
      const name = entry.slice(0, end)
      if (name in found) return new UsageError({ message: `--header names ${JSON.stringify(name)} twice` })
      found[name] = entry.slice(end + 1)
    }
    return Effect.succeed(found)
  })
