/** The methods of msgbus.v1, as a client calls them that shares nothing with ours. */
import * as grpc from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Answer, Failure, MsgbusClient } from "../../interop/MsgbusClient.ts"
import type { Cell, Outcome, Path } from "./Cell.ts"
import * as model from "./model.ts"

const refusals: ReadonlySet<grpc.status> = new Set([grpc.status.UNAUTHENTICATED, grpc.status.PERMISSION_DENIED])

const outcomeOf = (
  attempt: Effect.Effect<Answer | ReadonlyArray<Answer>, Failure>,
  seen: (answers: ReadonlyArray<Answer>) => ReadonlyArray<string> = () => [],
): Effect.Effect<Outcome> =>
  Effect.matchEffect(attempt, {
    onSuccess: (answer) => Effect.succeed({ isDenied: false, seen: seen([answer].flat() as ReadonlyArray<Answer>) }),
    onFailure: (failure): Effect.Effect<Outcome> => {
      const isDenied = refusals.has(failure.code)
      // There is nothing in the queue.
      const isKnown = isDenied || failure.code === grpc.status.NOT_FOUND
      return isKnown ? Effect.succeed({ isDenied, seen: [] }) : Effect.die(failure)
    },
  })

const messageTopics = (answers: ReadonlyArray<Answer>): ReadonlyArray<string> =>
  answers.flatMap(({ message }) => (message === undefined ? [] : [message.topic]))

const path = (
  method: string,
  verb: Path<MsgbusClient>["verb"],
  objects: ReadonlyArray<string>,
  request: (cell: Cell) => object,
): Path<MsgbusClient> => ({
  name: method,
  verb,
  objects,
  attempt: (client, cell) => outcomeOf(client.call(method, request(cell))),
})

const read = [...model.topics, ...model.reservedTopics]
const empty = { tenant_id: "", bl_name: "", device_id: "" }
const payload = ({ mark }: Cell): Buffer => Buffer.from(mark)

export const msgbusPaths: ReadonlyArray<Path<MsgbusClient>> = [
  path("Publish", "publish", model.topics, (cell) => ({ topic: cell.object, payload: payload(cell) })),
  path("GetHead", "subscribe", read, ({ object }) => ({ topic: object })),
  path("DeleteRange", "delete", model.topics, ({ object }) => ({ topic: object, from_head_id: 1, to_head_id: 1 })),
  path("EnqueueFifo", "queue", model.topics, (cell) => ({
    queue: cell.object,
    topic: "a",
    target: empty,
    payload: payload(cell),
  })),
  path("PeekFifo", "queue", model.topics, ({ object }) => ({ queue: object })),
  path("AckFifo", "queue", model.topics, ({ mark, object }) => ({ queue: object, message_id: mark })),
  path("RejectFifo", "queue", model.topics, ({ mark, object }) => ({ queue: object, message_id: mark })),
  path("ListPeerSyncStates", "admin", ["peers"], () => ({})),
  {
    name: "ListHeads",
    verb: "subscribe",
    objects: model.topics,
    isFiltered: true,
    attempt: (client) =>
      outcomeOf(client.call("ListHeads"), ([answer]) =>
        ((answer?.["heads"] ?? []) as ReadonlyArray<{ readonly topic: string }>).map(({ topic }) => topic),
      ),
  },
  {
    name: "Fetch",
    verb: "subscribe",
    objects: read,
    attempt: (client, { object }) => outcomeOf(client.all("Fetch", { topic: object }), messageTopics),
  },
  {
    name: "Subscribe",
    verb: "subscribe",
    // Every one of them has a message to begin with.
    objects: model.topics,
    attempt: (client, { object }) =>
      Effect.flatMap(client.open("Subscribe", { topic: object }), ({ answers, cancel }) =>
        outcomeOf(Queue.take(answers), messageTopics).pipe(Effect.ensuring(Effect.sync(cancel))),
      ),
  },
]
