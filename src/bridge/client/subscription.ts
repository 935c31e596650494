/**
 * The client's side of a subscription: it remembers the last position that came, and begins again after it where its
 * connection was lost. So every message comes once and in order, whatever happens to the connection or the node.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CursorInvalid } from "../../domain/errors.ts"
import type { Message } from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { SubscribeError, SubscribeOptions } from "../../topics/index.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/subscriptions.ts"
import type { BusLine } from "./BusLine.ts"
import { Perseverance } from "./Perseverance.ts"
import { type Answer, answerMillisMax, reading, waitMillis } from "./reading.ts"

export const subscribe = (
  line: BusLine,
  filter: string,
  { from, onLive, origin }: SubscribeOptions,
): Stream.Stream<Message, SubscribeError> =>
  Effect.gen(function* () {
    const perseverance = new Perseverance(line.reconnectMillis)
    let incarnation: string | undefined
    /** The last position that came, or where it began. */
    let position: number | undefined
    let id: number | undefined
    /** The last position that came from this id. */
    let after: number | undefined

    const begin = Effect.gen(function* () {
      const place = incarnation === undefined || position === undefined ? from : { incarnation, position }
      const begun = yield* line.ask(contract.subscribe, {
        filter,
        ...present({ origin: origin === undefined ? undefined : NodeId.format(origin), from: place }),
      })
      id = begun.id
      after = undefined
      if (incarnation !== undefined && incarnation !== begun.incarnation) {
        return yield* new CursorInvalid({
          message:
            "the store of the bus is not the one that the subscription began with: begin again from an offset or from the start",
        })
      }
      incarnation = begun.incarnation
      position ??= begun.position ?? undefined
      perseverance.begun()
      return id
    })

    const end = Effect.suspend(() => {
      const old = id
      id = undefined
      return old === undefined ? Effect.void : line.tell(contract.end, { id: old })
    })

    const askOnce = Effect.gen(function* () {
      const current = id ?? (yield* begin)
      const params = { id: current, wait: waitMillis, ...present({ after }) }
      const answer = yield* line.ask(contract.next, params, answerMillisMax)
      const last = answer.messages[answer.messages.length - 1]
      if (last !== undefined) position = after = last.position
      return answer
    })

    const ask: Effect.Effect<Answer, SubscribeError> = Effect.catch(askOnce, (error) => {
      switch (error._tag) {
        case "Silence":
        case "SessionUnknown":
        case "Unavailable":
          return Effect.andThen(Effect.andThen(Effect.forkDetach(end), perseverance.lost(error)), () => ask)
        default:
          return Effect.fail(error)
      }
    })

    yield* Effect.addFinalizer(() => Effect.forkDetach(end))
    return yield* reading(ask, onLive)
  }).pipe(Stream.unwrap, Stream.scoped)
