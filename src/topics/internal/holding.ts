/**
 * Holding a named cursor in this process: a claim, and the subscription that goes on from there.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { CursorInvalid, InvalidArgument, type StorageFailed } from "../../domain/errors.ts"
import { cursorProblem } from "../../domain/NamedCursor.ts"
import * as TopicFilter from "../../domain/TopicFilter.ts"
import type { JournalFilter } from "../../storage/LogStore.ts"
import type { ConsumeError, ConsumeOptions, HeldCursor, HoldOptions } from "../Topics.ts"
import type { CursorKeeper } from "./CursorKeeper.ts"
import { checkCursor, checkFilter, type Sources, subscribe } from "./subscription.ts"

export const checkName = (name: string): Effect.Effect<void, InvalidArgument> => {
  const wrong = cursorProblem(name)
  return wrong === undefined ? Effect.void : Effect.fail(new InvalidArgument({ argument: "cursor", message: wrong }))
}

/** See `Topics.holdCursor`. */
export const hold = Effect.fnUntraced(function* (
  sources: Sources,
  keeper: CursorKeeper,
  name: string,
  topics: string,
  { onLive, origin, resume, takeOver = false, ...options }: HoldOptions,
): Effect.fn.Return<HeldCursor, ConsumeError, Scope.Scope> {
  yield* checkName(name)
  const filter = yield* checkFilter(topics, origin)
  const { incarnation } = sources.store.info
  const taken =
    resume === undefined
      ? yield* claimed(sources, keeper, name, filter, options.from ?? "start", takeOver)
      : yield* resumed(sources, keeper, name, resume)
  const { position } = taken
  const held = taken.hold
  return {
    epoch: held.epoch,
    incarnation,
    position,
    messages: subscribe(sources, topics, { origin, from: { incarnation, position }, onLive }, held.progress),
    handled: (handled) => {
      held.progress.handle(handled)
      keeper.moved(held)
    },
    settled: keeper.settle(held),
    lost: Deferred.await(held.ended),
  }
})

const claimed = Effect.fnUntraced(function* (
  sources: Sources,
  keeper: CursorKeeper,
  name: string,
  filter: JournalFilter,
  from: NonNullable<ConsumeOptions["from"]>,
  takeOver: boolean,
) {
  const position = yield* beginning(sources, filter, from)
  return yield* keeper.hold({ name, filter, position }, takeOver)
})

const resumed = Effect.fnUntraced(function* (
  sources: Sources,
  keeper: CursorKeeper,
  name: string,
  { epoch, incarnation, position }: NonNullable<HoldOptions["resume"]>,
) {
  yield* checkCursor(sources, { incarnation, position })
  return { hold: yield* keeper.resume(name, epoch, position), position }
})

/** The position after which a new cursor begins. */
const beginning = Effect.fnUntraced(function* (
  sources: Sources,
  { origin, topics }: JournalFilter,
  from: NonNullable<ConsumeOptions["from"]>,
): Effect.fn.Return<number, InvalidArgument | CursorInvalid | StorageFailed> {
  if (from === "start") return 0
  if (from === "end") return yield* sources.end
  if (typeof from !== "number") return yield* checkCursor(sources, from)
  const wrong = (message: string) => new InvalidArgument({ argument: "from", message })
  if (!Number.isSafeInteger(from) || from < 1) {
    return yield* wrong(`an offset is a whole number from 1 on, not ${from}`)
  }
  if (TopicFilter.hasWildcard(topics)) {
    return yield* wrong(
      `an offset is a place in one log: it goes with one topic, not with the filter ${JSON.stringify(topics)}`,
    )
  }
  const log = { topic: topics, origin: origin ?? sources.store.info.node }
  const [first] = yield* sources.store.readLog(log, from, { rows: 1, bytes: 1 })
  if (first === undefined) {
    return yield* wrong(`a cursor begins at a message that is stored, and offset ${from} is still to come`)
  }
  return first.position - 1
})
