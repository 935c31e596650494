/**
 * The client's side of a taker: it outlives its connections. What became of an item is told with the question for the
 * next; where that may have been lost, what has succeeded here is told again, and not done again.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { QueueItem } from "../../domain/QueueItem.ts"
import type { QueueTaken } from "../../domain/errors.ts"
import { DoneItems } from "../../queues/DoneItems.ts"
import type { QueueWriteError, TakeOptions } from "../../queues/index.ts"
import { backoffDefault, reasonOf } from "../../queues/taking.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/queues.ts"
import { itemOf } from "../contract/values.ts"
import type { BusLine } from "./BusLine.ts"
import { Perseverance } from "./Perseverance.ts"
import { answerMillisMax, waitMillis } from "./reading.ts"

type Outcome = typeof contract.Outcome.Type

/** How long the node may take to confirm what was told when a taker ends. */
const farewell = "2 seconds"

/** Takes a queue of the node for as long as it runs. */
export const take = <E, R>(
  line: BusLine,
  queue: string,
  handler: (item: QueueItem) => Effect.Effect<unknown, E, R>,
  { attemptsMax, backoff = backoffDefault, onTaken = Effect.void }: TakeOptions,
): Effect.Effect<never, QueueWriteError | QueueTaken, R> =>
  Effect.suspend(() => {
    const done = new DoneItems()
    const perseverance = new Perseverance(line.reconnectMillis)
    let hasBegun = false
    let outcome: Outcome | undefined

    const handle = Effect.fnUntraced(function* (item: QueueItem) {
      const { attempts, id, sequence } = item
      const exit = done.has(id) ? Exit.void : yield* Effect.exit(handler(item))
      if (Exit.isSuccess(exit)) {
        done.add(id)
        return { sequence, failed: false }
      }
      if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
      const wait = Math.max(0, Math.ceil(Duration.toMillis(backoff(attempts + 1))))
      return { sequence, failed: true, reason: reasonOf(exit.cause), backoff: Math.min(wait, Number.MAX_SAFE_INTEGER) }
    })

    /** Takes until the node falls silent. */
    const session = Effect.acquireUseRelease(
      line.ask(contract.take, { queue, ...present({ attemptsMax }) }),
      ({ id }) =>
        Effect.gen(function* () {
          perseverance.begun()
          if (!hasBegun) yield* onTaken
          hasBegun = true
          outcome = undefined
          while (true) {
            const params: typeof contract.takeNext.params.Type = { id, wait: waitMillis, outcome }
            const { item } = yield* line.ask(contract.takeNext, params, answerMillisMax)
            outcome = undefined
            if (item !== null && item !== undefined) outcome = yield* handle(yield* itemOf(item))
          }
        }),
      ({ id }) =>
        Effect.timeoutOption(Effect.ignore(line.ask(contract.takeEnd, { id, ...present({ outcome }) })), farewell),
    )

    const lasting: Effect.Effect<never, QueueWriteError | QueueTaken, R> = Effect.catch(session, (error) => {
      switch (error._tag) {
        case "Silence":
        case "SessionUnknown":
        case "Unavailable":
          return Effect.andThen(perseverance.lost(error), () => lasting)
        case "QueueTaken":
          // Our own place may still be held for us, where the node has not noticed yet that the connection is gone.
          return hasBegun ? Effect.andThen(perseverance.lost(error), () => lasting) : Effect.fail(error)
        default:
          return Effect.fail(error)
      }
    })
    return lasting
  })
