/**
 * The store of queues over any `SqlClient`. It shares the connection, and the fate, of the store of logs: when one has
 * stopped writing, so has the other.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { type FrontItem, itemsWanted, planQueues, type QueuePlan, type StoredQueue } from "../QueuePlan.ts"
import { type QueueOperation, type QueueResult, type QueueState, type QueueStore, sortQueues } from "../QueueStore.ts"
import type { PageLimit } from "../LogStore.ts"
import { type ItemRow, itemColumns, sizeColumns, toItem, writeQueues } from "./QueueRows.ts"
import { QueueTable } from "./QueueTable.ts"
import type { Session } from "./Session.ts"
import type { Written, WriteTransaction } from "./WriteTransaction.ts"

/** Opens the queues of a database that is prepared. */
export const make = (transaction: WriteTransaction, queues: QueueTable): QueueStore["Service"] => ({
  apply: (operations) =>
    transaction.write(
      "apply",
      (session) => apply(session, queues, operations),
      operations.some(({ type }) => type === "enqueue") ? "adds" : "takes away",
    ),
  items: (queue, after, limit) => transaction.read("items", (session) => readItems(session, queue, after, limit)),
  queues: transaction.read("queues", (session) =>
    Effect.map(session.values(selectQueues, []), (rows) => sortQueues(rows.map(toState))),
  ),
})

const apply = (
  session: Session,
  queues: QueueTable,
  operations: ReadonlyArray<QueueOperation>,
): Effect.Effect<Written<ReadonlyArray<QueueResult>>, SqlError> =>
  Effect.gen(function* () {
    const stored = yield* readFronts(session, queues, itemsWanted(operations))
    const plan: QueuePlan = planQueues(operations, (name) => stored.get(name)!)
    const written = writeQueues(queues, plan)
    yield* session.runAll(written.statements)
    return { value: plan.results, committed: written.committed }
  })

const selectFront = "SELECT sequence, id, attempts FROM millrace_queue_items WHERE queue = ? ORDER BY sequence LIMIT ?"

/** So many items of the front of each queue. */
const readFronts = (
  session: Session,
  queues: QueueTable,
  wanted: ReadonlyMap<string, number>,
): Effect.Effect<ReadonlyMap<string, StoredQueue>, SqlError> =>
  Effect.gen(function* () {
    const found = new Map<string, StoredQueue>()
    for (const [name, items] of wanted) {
      const queue = queues.find(name)
      const rows = queue === undefined || items === 0 ? [] : yield* session.values(selectFront, [queue.number, items])
      const front = rows.map(([sequence, id, attempts]): FrontItem => ({
        sequence: sequence as number,
        id: id as string,
        attempts: attempts as number,
      }))
      found.set(name, { depth: queue?.depth ?? 0, lastSequence: queue?.lastSequence ?? 0, front })
    }
    return found
  })

/** Rows that are looked at for one page, at most. */
const rowsMax = 1024

const selectSizes = `SELECT ${sizeColumns} FROM millrace_queues q JOIN millrace_queue_items i ON i.queue = q.queue
  WHERE q.name = ? AND i.sequence > ? ORDER BY i.sequence LIMIT ?`
const selectItems = `SELECT ${itemColumns} FROM millrace_queues q JOIN millrace_queue_items i ON i.queue = q.queue
  WHERE q.name = ? AND i.sequence > ? AND i.sequence <= ? ORDER BY i.sequence`

const readItems = (
  session: Session,
  queue: string,
  after: number,
  limit: PageLimit,
): Effect.Effect<ReadonlyArray<QueueItem>, SqlError> =>
  Effect.gen(function* () {
    // How large items are comes first: a thousand of them may be 100 kB or 3.5 GB.
    const sizes = yield* session.values(selectSizes, [queue, after, Math.min(Math.max(limit.rows, 1), rowsMax)])
    let last = after
    let bytes = 0
    for (const [sequence, size] of sizes) {
      bytes += size as number
      if (last > after && bytes > limit.bytes) break
      last = sequence as number
    }
    // No further than was looked at: the front may be gone since, and what follows may be of any size.
    const rows = yield* session.values(selectItems, [queue, after, last])
    return rows.map((row) => toItem(queue, row as ItemRow))
  })

const selectQueues = `SELECT q.name, q.depth, q.last_sequence,
    (SELECT created_at FROM millrace_queue_items i WHERE i.queue = q.queue ORDER BY i.sequence LIMIT 1)
  FROM millrace_queues q`

const toState = ([queue, depth, lastSequence, oldestAt]: ReadonlyArray<unknown>): QueueState => ({
  queue: queue as string,
  depth: depth as number,
  lastSequence: lastSequence as number,
  oldestAt: (oldestAt as number | null) ?? undefined,
})
