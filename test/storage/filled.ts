/** A store with something of everything. */
import * as Effect from "effect/Effect"
import { noHeaders, noPayload } from "../../src/domain/Message.ts"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import { type ItemContent, packItems } from "../../src/storage/parts/ItemBlock.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { type QueueOperation, QueueStore } from "../../src/storage/QueueStore.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import { draft, otherNode, ownNode, replica } from "../../src/testing/storage/fixtures.ts"

export const own = { topic: "orders", origin: ownNode }
const theirs = { topic: "orders", origin: otherNode }

const item: ItemContent = {
  id: "",
  topic: "mails",
  source: ownNode,
  target: undefined,
  createdAt: 1000,
  headers: noHeaders,
  payload: noPayload,
  death: undefined,
}

/** Takes the ends of logs away, of a store that was filled: 11 messages are left. */
export const discardSome = (store: LogStore["Service"]) =>
  Effect.gen(function* () {
    yield* store.discard(own, 4)
    yield* store.discard({ topic: "$msgbus.delete", origin: ownNode }, 1)
    yield* store.discard(theirs, 3)
  })

/** Several blocks a log, a deleted range, keys, messages of another node. */
export const fill = Effect.gen(function* () {
  const store = yield* LogStore
  for (let i = 1; i <= 6; i++) {
    yield* store.append([
      [draft("orders", `order ${i}`, { headers: { unit: "m" } }), draft("orders", "x".repeat(3000))],
      [draft("parcels", `parcel ${i}`, { key: `key ${i}` })],
    ])
  }
  yield* store.accept(theirs, [replica(1, "one"), replica(2, "two"), replica(3, "three")])
  yield* store.tombstone({ log: own, from: 3, to: 5, marker: { id: "marker", createdAt: 1000 } })
  yield* store.tombstone({ log: theirs, from: 2, to: 9, marker: undefined })
  const queues = yield* QueueStore
  const items = (...ids: ReadonlyArray<string>): QueueOperation => ({
    type: "enqueue",
    queue: "mails",
    blocks: packItems(ids.map((id) => ({ ...item, id, payload: Buffer.from(id) }))),
  })
  yield* queues.apply([items("a", "b", "c"), items("d"), items("e", "f")])
  yield* queues.apply([{ type: "ack", queue: "mails", id: "a" }])
  yield* queues.apply([{ type: "reject", queue: "mails", id: "b", reason: "why", at: 1000, attemptsMax: undefined }])
  const cursors = yield* CursorStore
  yield* cursors.claim({ name: "worker", filter: { topics: "orders", origin: ownNode }, position: 4, at: 1000 })
  const records = yield* RecordStore
  yield* records.write({ put: [{ key: "sync/one", value: '{"head":3}' }], remove: [] })
})
