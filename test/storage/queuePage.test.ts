/**
 * Reading the front of a queue in a database while somebody takes it away: what is behind it is found all the same.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { QueueStore } from "../../src/storage/QueueStore.ts"
import { itemsOf } from "../../src/storage/parts/queuePage.ts"
import { packItems } from "../../src/storage/parts/ItemBlock.ts"
import { layerOver, SqliteClient } from "../../src/storage/sqlite/index.ts"

const source = { tenant: "t", line: "l", device: "d" }

const item = (number: number) => ({
  id: `item-${number}`,
  topic: "a",
  createdAt: 0,
  headers: {},
  payload: Buffer.from(String(number)),
  source,
  target: undefined,
  death: undefined,
})

/** A client on whose connections something happens right after blocks were looked up, as often as there are statements. */
const disturbed = (between: Array<ReadonlyArray<string>>) =>
  Layer.effect(
    SqlClient,
    Effect.map(SqlClient, (client) => {
      const disturb = (connection: Connection): Connection => ({
        ...connection,
        execute: connection.execute.bind(connection),
        executeRaw: connection.executeRaw.bind(connection),
        executeValues: (sql, params) =>
          Effect.tap(connection.executeValues(sql, params), () =>
            sql.includes("octet_length(content)")
              ? Effect.forEach(between.shift() ?? [], (statement) => connection.executeRaw(statement, []), {
                  discard: true,
                })
              : Effect.void,
          ),
      })
      return Object.assign(Object.create(client) as SqlClient, { reserve: Effect.map(client.reserve, disturb) })
    }),
  ).pipe(Layer.provide(Layer.orDie(SqliteClient.layer({ filename: ":memory:" }))))

/** What the page of a queue of three items, each in a block, gives first, when this happens while it is read. */
const frontWhile = (between: Array<ReadonlyArray<string>>) => {
  const happening: Array<ReadonlyArray<string>> = []
  const store = layerOver({ name: "the test's", durability: "memory" }).pipe(Layer.provide(disturbed(happening)))
  return Effect.gen(function* () {
    const queues = yield* QueueStore
    for (const number of [1, 2, 3]) {
      yield* queues.apply([{ type: "enqueue", queue: "q", blocks: packItems([item(number)]) }])
    }
    happening.push(...between)
    const limit = { rows: 1, bytes: 1 }
    const page = yield* queues.page("q", 0, limit)
    return itemsOf("q", page, 0, limit).map(({ id }) => id)
  }).pipe(Effect.provide(store))
}

const acknowledge = (sequence: number) => [
  `UPDATE millrace_queues SET first_sequence = ${sequence + 1}`,
  `DELETE FROM millrace_queue_blocks WHERE last_sequence <= ${sequence}`,
]

it.effect.each([
  [[], ["item-1"]],
  [[acknowledge(1)], ["item-2"]],
  [[acknowledge(1), acknowledge(2)], ["item-3"]],
  [[acknowledge(3)], []],
] as const)("%j happens: %j is found", ([between, found]) =>
  Effect.map(frontWhile([...between]), (items) => expect(items).toEqual(found)),
)

it.effect("a block that is missing for good ends the search", () =>
  Effect.map(frontWhile([["DELETE FROM millrace_queue_blocks"]]), (items) => expect(items).toEqual([])),
)
