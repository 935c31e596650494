/**
 * The store of queues over any `SqlClient`. It shares the connection, and the fate, of the store of logs: when one has
 * stopped writing, so has the other.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { WriteFailure } from "../../domain/errors.ts"
import { DamagedBlock } from "../parts/Block.ts"
import { deadQueueOf } from "../../domain/QueueItem.ts"
import type { ItemBlockReader, StoredItemBlock } from "../parts/ItemBlock.ts"
import type { PageLimit } from "../LogStore.ts"
import { arrivingBlocks, type ItemPlace, newQueue, planQueues, type QueuePlan } from "../parts/QueuePlan.ts"
import {
  type QueueOperation,
  type QueuePage,
  type QueueResult,
  type QueueState,
  type QueueStore,
  sortQueues,
} from "../QueueStore.ts"
import type { Dialect } from "./Dialect.ts"
import type { KnownJournal } from "./JournalWrite.ts"
import { type ChangedQueue, openBlock, queueStatements, readBlocks } from "./QueueBlocks.ts"
import type { QueueTable } from "./QueueTable.ts"
import type { Session } from "./Session.ts"
import type { Planned, Purpose, WriteTransaction } from "./WriteTransaction.ts"

/** Whether an operation needs room for items. One that dies takes little, and makes room. */
const addsItems = ({ type }: QueueOperation): boolean => type === "enqueue" || type === "redrive"

/** Opens the queues of a database that is prepared. */
export const make = (transaction: WriteTransaction, queues: QueueTable): QueueStore["Service"] => ({
  apply: (operations) => {
    const rest = operations.filter((operation) => !addsItems(operation))
    if (rest.length === operations.length) return write(transaction, queues, operations, "takes away")
    const all = write(transaction, queues, operations, "adds")
    if (rest.length === 0) return all
    return Effect.catchTag(all, "StorageFull", ({ message }) =>
      Effect.map(write(transaction, queues, rest, "takes away"), (results) => {
        let next = 0
        return operations.map((operation) =>
          addsItems(operation) ? { type: "full" as const, message } : results[next++]!,
        )
      }),
    )
  },
  page: (queue, after, limit) => transaction.read("page", (session) => readPage(session, queue, after, limit)),
  queues: transaction.read("queues", readQueues),
})

const write = (
  transaction: WriteTransaction,
  queues: QueueTable,
  operations: ReadonlyArray<QueueOperation>,
  purpose: Purpose,
): Effect.Effect<ReadonlyArray<QueueResult>, WriteFailure> =>
  Effect.suspend(() => {
    const batch = new Batch(transaction.dialect, queues, operations)
    const { journal, sharing } = transaction
    return transaction.writeAll({
      operation: "apply",
      purpose,
      plan: () => batch.plan(journal),
      load: (session) =>
        sharing === undefined
          ? batch.load(session)
          : Effect.andThen(queues.lock(session, batch.names()), batch.load(session)),
    })
  })

/** Bytes that are read at once for items that an operation names or moves. */
const loadBytesMax = 1024 * 1024

/** A batch of operations on its way into the database. */
class Batch {
  private readonly queues: QueueTable
  private readonly operations: ReadonlyArray<QueueOperation>
  /** Blocks that were read for this batch, by queue. */
  private readonly read = new Map<string, Array<ItemBlockReader>>()

  private readonly dialect: Dialect

  constructor(dialect: Dialect, queues: QueueTable, operations: ReadonlyArray<QueueOperation>) {
    this.dialect = dialect
    this.queues = queues
    this.operations = operations
  }

  /** The queues that are concerned. */
  names(): ReadonlyArray<string> {
    const names = new Set<string>()
    for (const { queue, type } of this.operations) {
      names.add(queue)
      if (type === "reject" || type === "redrive") names.add(deadQueueOf(queue))
    }
    return [...names]
  }

  /** What to write, or nothing where items have to be read first. */
  plan(known: KnownJournal): Planned<ReadonlyArray<QueueResult>> | undefined {
    const plan = this.tryPlan()
    if (this.missing(plan) !== undefined) return undefined
    const { queues } = this
    let { lastNumber } = queues
    const contentAt = (place: ItemPlace) => this.blockAt(place)!.content(place.sequence)
    const changed = [...plan.ends].map(([name, ends]): ChangedQueue => {
      const before = queues.find(name)
      const blocks = arrivingBlocks(plan.arrivals.get(name) ?? [], contentAt)
      return { name, number: before?.number ?? ++lastNumber, before, ends, blocks }
    })
    const statements = queueStatements(changed)
    const { tellEnqueued } = this.dialect
    const enqueued = [...plan.arrivals.keys()]
    if (tellEnqueued !== undefined && enqueued.length > 0 && known.sharing !== undefined) {
      statements.push(tellEnqueued(enqueued, known.sharing.membership))
    }
    return {
      value: plan.results,
      statements,
      committed: () => {
        for (const { ends, name, number } of changed) queues.set(name, { number, ends })
      },
    }
  }

  /** Reads what is missing, until nothing is. */
  load(session: Session): Effect.Effect<void, SqlError> {
    return Effect.suspend(() => {
      const place = this.missing(this.tryPlan())
      if (place === undefined) return Effect.void
      const { queue, sequence } = place
      const limit = { rows: this.operations.length, bytes: loadBytesMax }
      const reading = readBlocks(session, this.queues.find(queue)!.number, sequence - 1, limit)
      return Effect.flatMap(reading, (blocks) => {
        this.take(queue, sequence, blocks)
        return this.load(session)
      })
    })
  }

  private tryPlan(): QueuePlan {
    const { queues } = this
    return planQueues(this.operations, {
      ends: (queue) => queues.ends(queue),
      idAt: (place) => queues.idAt(place.queue, place.sequence) ?? this.blockAt(place)?.id(place.sequence),
    })
  }

  /** An item that has to be read for a plan. */
  private missing({ lacks, moves }: QueuePlan): ItemPlace | undefined {
    return lacks ?? moves.find((place) => this.blockAt(place) === undefined)
  }

  private take(queue: string, sequence: number, blocks: ReadonlyArray<StoredItemBlock>): void {
    const readers = blocks.map((block) => openBlock(queue, block))
    const [first] = readers
    if (first === undefined || first.firstSequence > sequence) {
      throw new DamagedBlock(`the queue ${JSON.stringify(queue)} lacks its item ${sequence}`)
    }
    this.read.set(queue, [...(this.read.get(queue) ?? []), ...readers])
    this.queues.know(queue, { firstSequence: first.firstSequence, ids: first.ids() })
  }

  private blockAt({ queue, sequence }: ItemPlace): ItemBlockReader | undefined {
    return this.read.get(queue)?.find((block) => block.firstSequence <= sequence && sequence <= block.lastSequence)
  }
}

const readPage = (
  session: Session,
  queue: string,
  after: number,
  limit: PageLimit,
  /** The front as it was when nothing was found at it. */
  missing?: number,
): Effect.Effect<QueuePage, SqlError> =>
  Effect.gen(function* () {
    const [row] = yield* session.values(selectQueue, [queue])
    if (row === undefined) return { ...newQueue, blocks: [] }
    const [number, firstSequence, lastSequence, attempts] = row as readonly [number, number, number, number]
    const from = Math.max(after, firstSequence - 1)
    const blocks = yield* readBlocks(session, number, from, limit)
    // Somebody has taken away what was there between two looks: there is another front now. Where there is not, the store
    // is damaged, and others say so.
    if (blocks.length === 0 && from < lastSequence && firstSequence !== missing) {
      return yield* readPage(session, queue, after, limit, firstSequence)
    }
    return { blocks, firstSequence, lastSequence, attempts }
  })

const selectQueue = "SELECT queue, first_sequence, last_sequence, attempts FROM millrace_queues WHERE name = ?"

const selectQueues = "SELECT name, queue, first_sequence, last_sequence FROM millrace_queues"

const readQueues = (session: Session): Effect.Effect<ReadonlyArray<QueueState>, SqlError> =>
  Effect.gen(function* () {
    const states: Array<QueueState> = []
    for (const row of yield* session.values(selectQueues, [])) {
      const [queue, number, firstSequence, lastSequence] = row as readonly [string, number, number, number]
      // One after the other: together, the blocks at their fronts could be of any size.
      const [front] = yield* readBlocks(session, number, firstSequence - 1, { rows: 1, bytes: 1 })
      const oldestAt = front === undefined ? undefined : openBlock(queue, front).createdAt(firstSequence)
      states.push({ queue, depth: lastSequence - firstSequence + 1, lastSequence, oldestAt })
    }
    return sortQueues(states)
  })
