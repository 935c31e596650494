/** Bugs planted on purpose in a store of queues. The laws of queues must find every one of them. */
import { Effect, Layer } from "effect"
import { QueueStore } from "../../src/storage/QueueStore.ts"

type Store = QueueStore["Service"]

const plant =
  (bug: (right: Store) => Partial<Store>) =>
  <A, E>(stores: Layer.Layer<A | QueueStore, E>): Layer.Layer<A | QueueStore, E> =>
    Layer.provideMerge(
      Layer.effect(
        QueueStore,
        QueueStore.useSync((right) => QueueStore.of({ ...right, ...bug(right) })),
      ),
      stores,
    )

/** Acknowledgements are answered before they are stored, which happens one commit later, or never. */
export const ackBeforeCommit = plant((right) => {
  let owed: Parameters<Store["apply"]>[0] = []
  return {
    apply: (operations) =>
      Effect.suspend(() => {
        const before = owed
        const isAck = operations.every(({ type }) => type === "ackRange")
        owed = isAck ? operations : []
        const results = Effect.map(right.apply([...before, ...(isAck ? [] : operations)]), (all) =>
          all.slice(before.length),
        )
        if (!isAck) return results
        return Effect.map(results, () =>
          operations.map((operation) => ({
            type: "ackRange" as const,
            removed: operation.type === "ackRange" ? operation.last - operation.first + 1 : 0,
          })),
        )
      }),
  }
})

/** A failed attempt is not counted. */
export const attemptForgotten = plant((right) => ({
  apply: (operations) =>
    right.apply(
      operations.map((operation) => (operation.type === "reject" ? { ...operation, id: "nobody" } : operation)),
    ),
}))

/** What dies goes without leaving anything in the dead queue. */
export const deadItemDropped = plant((right) => ({
  apply: (operations) =>
    Effect.tap(right.apply(operations), (results) =>
      Effect.forEach(operations, (operation, i) => {
        const result = results[i]!
        return result.type === "reject" && result.isDead
          ? right.apply([{ type: "ackRange", queue: `${operation.queue}.dead`, first: 1, last: 1 }])
          : Effect.void
      }),
    ),
}))

/** Whatever is acknowledged is the front. */
export const anyItemIsFront = plant((right) => ({
  apply: (operations) =>
    Effect.flatMap(
      Effect.forEach(operations, (operation) =>
        operation.type === "ack"
          ? Effect.map(right.page(operation.queue, 0, { rows: 1, bytes: 1 }), ({ firstSequence }) => ({
              type: "ackRange" as const,
              queue: operation.queue,
              first: firstSequence,
              last: firstSequence,
            }))
          : Effect.succeed(operation),
      ),
      (changed) =>
        Effect.map(right.apply(changed), (results) =>
          results.map((result, i) =>
            operations[i]!.type === "ack" && result.type === "ackRange"
              ? { type: "ack" as const, accepted: result.removed > 0 }
              : result,
          ),
        ),
    ),
}))
