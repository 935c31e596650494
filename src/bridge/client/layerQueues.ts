/**
 * The service `Queues` of a node, for a client of its exchange, with the promises that it has in process: through the
 * calls that `.bus` answers.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { InvalidArgument, Unavailable } from "../../domain/errors.ts"
import * as Message from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import { Queues } from "../../queues/index.ts"
import { traced } from "../../queues/tracing.ts"
import type { Rpc } from "../../rpc/index.ts"
import { present } from "../contract/Method.ts"
import * as contract from "../contract/queues.ts"
import { addedItemOf, itemOf } from "../contract/values.ts"
import { BusLine, type BusOptions } from "./BusLine.ts"
import { toBytes } from "../../domain/utf8.ts"
import { take } from "./taking.ts"

/** The queues of the node that a client is connected to. */
export const makeQueues = (rpc: Rpc, options: BusOptions = {}): Effect.Effect<Queues["Service"]> =>
  Effect.gen(function* () {
    const line = new BusLine(rpc, options)

    const queues = Queues.of({
      enqueue: Effect.fnUntraced(function* (queue, payload, { headers, target, topic } = {}) {
        const message = Message.headersProblem(headers)
        if (message !== undefined) return yield* new InvalidArgument({ argument: "headers", message })
        const content = toBytes(payload)
        const added = yield* line.write(contract.enqueue, {
          queue,
          payload: content,
          ...present({ topic, headers, target: target === undefined ? undefined : NodeId.format(target) }),
        })
        return yield* addedItemOf(added, headers, content)
      }),

      peek: (queue) =>
        Effect.flatMap(line.read(contract.peek, { queue }), ({ item }) =>
          item === null || item === undefined ? Effect.succeedNone : Effect.map(itemOf(item), Option.some),
        ),

      items: (queue, { after, limit } = {}) =>
        Effect.flatMap(line.read(contract.items, { queue, ...present({ after, limit }) }), ({ items }) =>
          Effect.forEach(items, itemOf),
        ),

      ack: (queue, id) => Effect.map(line.write(contract.ack, { queue, id }), ({ accepted }) => accepted),

      reject: (queue, id, { attemptsMax, reason } = {}) =>
        line.write(contract.reject, { queue, id, ...present({ attemptsMax, reason }) }),

      redrive: (queue, itemsMax) =>
        Effect.map(line.write(contract.redrive, { queue, ...present({ itemsMax }) }), ({ moved }) => moved),

      take: (queue, handler, options = {}) => take(line, queue, handler, options),

      queues: line.read(contract.list, undefined).pipe(
        Effect.map(({ queues }) => queues.map((state) => ({ ...state, oldestAt: state.oldestAt ?? undefined }))),
        Effect.mapError((error) =>
          error._tag === "StorageFailed" ? error : new Unavailable({ message: error.message }),
        ),
      ),
    })
    return traced(queues, yield* Effect.context<never>())
  })

/** The queues of the node that a client is connected to, through its calls. */
export const layerQueues = (rpc: Rpc, options?: BusOptions): Layer.Layer<Queues> =>
  Layer.effect(Queues, makeQueues(rpc, options))
