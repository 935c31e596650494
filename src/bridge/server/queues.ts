/** `.bus` over the queues of its caller. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type { QueueTaken } from "../../domain/errors.ts"
import type { Queues, QueueWriteError } from "../../queues/index.ts"
import { backoffDefault } from "../../queues/taking.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/queues.ts"
import { addedFields, itemFields, nodeOf } from "../contract/values.ts"
import type { Handlers, Serve } from "./handler.ts"
import type { Sessions } from "./Sessions.ts"
import { waitOf } from "./subscriptions.ts"
import { Taker, type Word } from "./Taker.ts"

type TakeError = QueueWriteError | QueueTaken

export interface Taking {
  readonly taker: Taker<TakeError>
  /** Ends it; what was told is in effect then. */
  readonly end: Effect.Effect<void, TakeError>
}

const wordOf = ({ sequence, failed, reason, backoff }: Schema.Schema.Type<typeof contract.Outcome>): Word => ({
  sequence,
  failure: failed ? (reason ?? "") : undefined,
  backoffMillis: backoff ?? undefined,
})

/** Takes a queue; succeeds when it is taken. */
const taking = Effect.fnUntraced(function* (queues: Queues["Service"], queue: string, attemptsMax: number | undefined) {
  const taker = new Taker<TakeError>()
  const taken = yield* Deferred.make<void, TakeError>()
  const fiber = yield* queues
    .take(queue, taker.handle, {
      attemptsMax,
      backoff: taker.backoff(backoffDefault),
      onTaken: Effect.asVoid(Deferred.succeed(taken, undefined)),
    })
    .pipe(
      Effect.onError((cause) =>
        Effect.suspend(() => {
          taker.end(Effect.failCause(cause))
          return Deferred.failCause(taken, cause)
        }),
      ),
      Effect.forkScoped,
    )
  yield* Deferred.await(taken)
  const end = Effect.gen(function* () {
    // What was told has been passed on before this goes on.
    yield* Effect.yieldNow
    const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.failCause(exit.cause)
  })
  return { taker, end }
})

export const queueHandlers = (serve: Serve, sessions: Sessions<Taking>): Handlers => ({
  ...serve(
    contract.enqueue,
    Effect.fnUntraced(function* ({ queues }, { queue, payload, topic, target, headers }) {
      const item = yield* queues.enqueue(queue, payload, {
        topic: topic ?? undefined,
        target: yield* nodeOf(target),
        headers: headers ?? undefined,
      })
      return addedFields(item)
    }),
  ),

  ...serve(contract.peek, ({ queues }, { queue }) =>
    Effect.map(queues.peek(queue), (item) => present({ item: Option.getOrUndefined(Option.map(item, itemFields)) })),
  ),

  ...serve(contract.items, ({ queues }, { queue, after, limit }) =>
    Effect.map(queues.items(queue, { after: after ?? undefined, limit: limit ?? undefined }), (items) => ({
      items: items.map(itemFields),
    })),
  ),

  ...serve(contract.ack, ({ queues }, { queue, id }) =>
    Effect.map(queues.ack(queue, id), (accepted) => ({ accepted })),
  ),

  ...serve(contract.reject, ({ queues }, { queue, id, attemptsMax, reason }) =>
    queues.reject(queue, id, { attemptsMax: attemptsMax ?? undefined, reason: reason ?? undefined }),
  ),

  ...serve(contract.redrive, ({ queues }, { queue, itemsMax }) =>
    Effect.map(queues.redrive(queue, itemsMax ?? undefined), (moved) => ({ moved })),
  ),

  ...serve(contract.take, ({ name, isConnected, queues }, { queue, attemptsMax }) =>
    Effect.map(sessions.begin(name, isConnected, taking(queues, queue, attemptsMax ?? undefined)), ({ id }) => ({
      id,
    })),
  ),

  ...serve(
    contract.takeNext,
    Effect.fnUntraced(function* ({ name }, { id, outcome, wait }) {
      const { taker } = yield* sessions.get(name, id)
      if (outcome !== null && outcome !== undefined) taker.tell(wordOf(outcome))
      const item = yield* Effect.timeoutOption(taker.next, waitOf(wait))
      return present({ item: Option.getOrUndefined(Option.map(item, itemFields)) })
    }),
  ),

  ...serve(
    contract.takeEnd,
    Effect.fnUntraced(function* ({ name }, { id, outcome }) {
      const session = yield* Effect.option(sessions.get(name, id))
      if (Option.isSome(session)) {
        const { taker, end } = session.value
        if (outcome !== null && outcome !== undefined) taker.tell(wordOf(outcome))
        yield* Effect.ensuring(end, sessions.end(name, id))
      }
      return undefined
    }),
  ),

  ...serve(contract.list, ({ queues }) =>
    Effect.map(queues.queues, (states) => ({
      queues: states.map(({ queue, depth, lastSequence, oldestAt }) => ({
        queue,
        depth,
        lastSequence,
        ...present({ oldestAt }),
      })),
    })),
  ),
})
