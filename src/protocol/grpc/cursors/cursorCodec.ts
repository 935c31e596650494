/**
 * Between named cursors and their messages in `millrace.v1`.
 */
import * as Effect from "effect/Effect"
import type { InvalidArgument } from "../../../domain/errors.ts"
import type { ConsumeOptions, CursorState, HoldOptions } from "../../../topics/Topics.ts"
import * as codec from "../codec/codec.ts"
import type {
  ConsumeResume,
  ConsumeStart,
  CursorState as CursorMessage,
  ResetCursorRequest,
} from "../gen/millrace/v1/cursors_pb.ts"
import type { Place } from "../gen/millrace/v1/topics_pb.ts"

const start = { case: "start", value: { $typeName: "millrace.v1.StartOfJournal" } } as const
const end = { case: "end", value: { $typeName: "millrace.v1.EndOfJournal" } } as const

export const place = (incarnation: string, position: bigint): Place => ({
  $typeName: "millrace.v1.Place",
  incarnation,
  position,
})

/** Where a new cursor is to begin. */
export const fromMessage = (from: ConsumeOptions["from"]): Effect.Effect<ConsumeStart["from"], InvalidArgument> => {
  if (from === undefined || from === "start") return Effect.succeed(start)
  if (from === "end") return Effect.succeed(end)
  if (typeof from === "number") {
    return Effect.map(codec.unsigned("from", from), (value) => ({ case: "offset", value }))
  }
  return Effect.map(codec.unsigned("from", from.position), (position) => ({
    case: "place",
    value: place(from.incarnation, position),
  }))
}

const cursorOf = (argument: string, { incarnation, position }: Place) =>
  Effect.map(codec.integer(argument, position), (exact) => ({ incarnation, position: exact }))

const from = ({ from }: ConsumeStart): Effect.Effect<ConsumeOptions["from"], InvalidArgument> => {
  switch (from.case) {
    case "end":
      return Effect.succeed("end")
    case "offset":
      return codec.integer("from", from.value)
    case "place":
      return cursorOf("from", from.value)
    default:
      return Effect.succeed("start")
  }
}

const resumeOf = Effect.fnUntraced(function* ({ epoch, place }: ConsumeResume) {
  const cursor = yield* cursorOf("resume", place ?? { $typeName: "millrace.v1.Place", incarnation: "", position: 0n })
  return { ...cursor, epoch: yield* codec.integer("resume", epoch) }
})

/** What a hold is asked to be. */
export const holdOptions = Effect.fnUntraced(function* (
  message: ConsumeStart,
): Effect.fn.Return<HoldOptions, InvalidArgument> {
  return {
    origin: yield* codec.optionalNode(message.origin),
    from: yield* from(message),
    takeOver: message.takeOver,
    resume: message.resume === undefined ? undefined : yield* resumeOf(message.resume),
  }
})

export const stateMessage = ({ isHeld, lag, movedAt, name, origin, position, topics }: CursorState): CursorMessage => ({
  $typeName: "millrace.v1.CursorState",
  cursor: name,
  filter: topics,
  ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
  position: BigInt(position),
  movedAtMs: BigInt(movedAt),
  lag: BigInt(lag),
  isHeld,
})

export const state = ({ cursor, filter, isHeld, lag, movedAtMs, origin, position }: CursorMessage): CursorState => ({
  name: cursor,
  topics: filter,
  origin: origin === undefined ? undefined : codec.plainNode(origin),
  position: Number(position),
  movedAt: Number(movedAtMs),
  lag: Number(lag),
  isHeld,
})

type ResetTo = "start" | "end" | number

export const toMessage = (to: ResetTo): Effect.Effect<ResetCursorRequest["to"], InvalidArgument> => {
  if (to === "start") return Effect.succeed(start)
  if (to === "end") return Effect.succeed(end)
  return Effect.map(codec.unsigned("to", to), (value) => ({ case: "position", value }))
}

/** Where a cursor is to be put; nothing said is the start. */
export const resetTo = ({ to }: ResetCursorRequest): Effect.Effect<ResetTo, InvalidArgument> =>
  to.case === "position" ? codec.integer("to", to.value) : Effect.succeed(to.case === "end" ? "end" : "start")
