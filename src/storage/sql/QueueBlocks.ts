/**
 * The table of the queues' blocks: reading from it, and the statements that write what was planned. As in the journal,
 * a row is named by where it ends.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { DamagedBlock } from "../parts/Block.ts"
import { ItemBlockReader, type StoredItemBlock } from "../parts/ItemBlock.ts"
import type { PageLimit } from "../LogStore.ts"
import type { QueueEnds } from "../parts/QueuePlan.ts"
import { blocksWanted } from "../parts/queuePage.ts"
import type { QueueRow } from "./QueueTable.ts"
import type { Session, Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"

/** Rows that are looked at for one page, at most. */
const rowsMax = 1024

const selectSizes = `SELECT last_sequence, items, octet_length(content) FROM millrace_queue_blocks
  WHERE queue = ? AND last_sequence > ? ORDER BY last_sequence LIMIT ?`
const selectBlocks = `SELECT last_sequence, items, about, content FROM millrace_queue_blocks
  WHERE queue = ? AND last_sequence > ? AND last_sequence <= ? ORDER BY last_sequence`

/** The block with the first item after a sequence, and blocks after it, as many as the limit has room for. */
export const readBlocks = (
  session: Session,
  queue: number,
  after: number,
  limit: PageLimit,
): Effect.Effect<ReadonlyArray<StoredItemBlock>, SqlError> =>
  Effect.gen(function* () {
    // How large blocks are comes first: a thousand of them may be 100 kB or 3.5 GB.
    const sizes = yield* session.values(selectSizes, [queue, after, Math.min(Math.max(limit.rows, 1), rowsMax)])
    const wanted = blocksWanted(
      sizes.map(([, items, bytes]) => ({ items: items as number, bytes: bytes as number })),
      limit,
    )
    if (wanted === 0) return []
    // No further than was looked at: the front may be gone since, and what follows may be of any size.
    const rows = yield* session.values(selectBlocks, [queue, after, sizes[wanted - 1]![0]])
    return rows.map(([lastSequence, items, about, content]) => ({
      lastSequence: lastSequence as number,
      items: items as number,
      about: about as string,
      content: content as Uint8Array,
    }))
  })

/**
 * A stored block.
 *
 * @throws DamagedBlock which says where it is
 */
export const openBlock = (queue: string, block: StoredItemBlock): ItemBlockReader => {
  try {
    return new ItemBlockReader(block)
  } catch (error) {
    if (!(error instanceof DamagedBlock)) throw error
    const place = `the block of the queue ${JSON.stringify(queue)} that ends at sequence ${block.lastSequence}`
    throw new DamagedBlock(`${place} is damaged: ${error.message}`)
  }
}

/** A queue as a commit leaves it. */
export interface ChangedQueue {
  readonly name: string
  readonly number: number
  /** What it was; absent where it is new. */
  readonly before: QueueRow | undefined
  readonly ends: QueueEnds
  readonly blocks: ReadonlyArray<StoredItemBlock>
}

const insertQueue =
  "INSERT INTO millrace_queues (queue, name, first_sequence, last_sequence, attempts) VALUES (?, ?, ?, ?, ?)"
const updateQueue = "UPDATE millrace_queues SET first_sequence = ?, last_sequence = ?, attempts = ? WHERE queue = ?"
const insertBlocks = grouped(
  5,
  (rows) => `INSERT INTO millrace_queue_blocks (queue, last_sequence, items, about, content) VALUES ${rows}`,
)
const deleteBlocks = "DELETE FROM millrace_queue_blocks WHERE queue = ? AND last_sequence < ?"

/** The statements that write changed queues, to be run within one transaction. */
export const queueStatements = (queues: ReadonlyArray<ChangedQueue>): Array<Statement> => {
  const statements: Array<Statement> = []
  for (const { before, blocks, ends, name, number } of queues) {
    const { attempts, firstSequence, lastSequence } = ends
    statements.push(
      before === undefined
        ? [insertQueue, [number, name, firstSequence, lastSequence, attempts]]
        : [updateQueue, [firstSequence, lastSequence, attempts, number]],
    )
    // A block goes with the last of its items.
    if (firstSequence > (before?.ends.firstSequence ?? 1)) statements.push([deleteBlocks, [number, firstSequence]])
    addRows(statements, insertBlocks, blocks.length, (params, row) => {
      const { about, content, items, lastSequence } = blocks[row]!
      params.push(number, lastSequence, items, about, content)
    })
  }
  return statements
}
