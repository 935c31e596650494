/**
 * What an examination reads of a store in an LMDB environment, as it is at one moment. What cannot be decoded becomes a
 * row without columns, for the checks to find.
 */
import * as Effect from "effect/Effect"
import { rowsMax } from "../examination/runs.ts"
import type { ReadFailure, Row, Rows, Source } from "../examination/Source.ts"
import { messageOf } from "./Commits.ts"
import type { Environment, Tables } from "./Environment.ts"
import { readEnd, readLastDiscarded } from "./Journal.ts"
import {
  firstName,
  formatVersion,
  itemsKey,
  long,
  offsetKey,
  offsetValue,
  place,
  readBlockKey,
  readCursor,
  readItems,
  readItemsKey,
  readKey,
  readLog,
  readLong,
  readPlace,
  readQueue,
  readRecord,
  recordKey,
  short,
} from "./Layout.ts"
import { readEpoch } from "./LmdbCursorStore.ts"
import { readMeta } from "./Meta.ts"

const attempt = <A>(read: () => A): Effect.Effect<A, ReadFailure> =>
  Effect.try({ try: read, catch: (error) => ({ message: messageOf(error) }) })

const rowOf = (decode: () => Row): Row => {
  try {
    return decode()
  } catch {
    // Found by who looks at the columns.
    return []
  }
}

interface KeyedRow {
  readonly key: Buffer
  readonly value: Buffer
}

const decoded = (rows: Iterable<KeyedRow>, decode: (row: KeyedRow) => Row): ReadonlyArray<Row> =>
  Array.from(rows, (row) => rowOf(() => decode(row)))

const taken = <A>(all: Iterable<A>, max: number): ReadonlyArray<A> => {
  const list: Array<A> = []
  for (const one of all) {
    if (list.length === max) break
    list.push(one)
  }
  return list
}

export const lmdbSource = (environment: Environment): Source => {
  const { tables } = environment
  environment.stayAtMoment()
  const rows = (read: () => ReadonlyArray<Row>): Rows => attempt(read)
  return {
    prefix: "",
    currentFormat: formatVersion,
    definition: Effect.succeed({ isEmpty: false, isStore: true, altered: [] }),
    meta: rows(() =>
      (["format", "node", "incarnation", "state"] as const).flatMap((name) => {
        const value = readMeta(tables, name)
        return value === undefined ? [] : [[name, value]]
      }),
    ),
    integrity: attempt(() => disagreements(tables)),
    sizeBytes: attempt(() => environment.usage.fileBytes),
    end: attempt(() => readEnd(tables)),
    lastDiscarded: attempt(() => readLastDiscarded(tables)),
    logs: rows(() =>
      decoded(tables.logs.rows(short(0)), ({ key, value }) => {
        const { head, log, number } = readLog(key, value)
        return [number, log.topic, log.origin.tenant, log.origin.line, log.origin.device, head]
      }),
    ),
    deletedRanges: rows(() =>
      decoded(tables.deleted.rows(place(0, 0)), ({ key, value }) => {
        const { at, number } = readPlace(key)
        return [number, at, readLong(value)]
      }),
    ),
    blocks: (after) =>
      rows(() =>
        taken(tables.blocks.keys(long(after + 1)), rowsMax).map((key) =>
          rowOf(() => {
            const { bytes, lastOffset, lastPosition, logNumber, messages } = readBlockKey(key)
            return [lastPosition, logNumber, lastOffset, messages, bytes]
          }),
        ),
      ),
    blockContents: (from, to) =>
      rows(() => Array.from(tables.blocks.rows(long(from), long(to + 1)), ({ value }) => [value])),
    lostKeys: rows(() => lostKeys(tables)),
    keyedLogs: rows(() =>
      [...new Set(Array.from(tables.keys.rows(long(0)), ({ value }) => readKey(value).log))].map((log) => [log]),
    ),
    queues: rows(() =>
      decoded(tables.queues.rows(firstName), ({ key, value }) => {
        const { ends, name, number } = readQueue(key, value)
        return [number, name, ends.firstSequence, ends.lastSequence, ends.attempts]
      }),
    ),
    lostQueues: rows(() => lostQueues(tables)),
    queueBlocks: (queue, after) =>
      rows(() =>
        taken(tables.queue_blocks.keys(place(queue, after + 1), place(queue + 1, 0)), rowsMax).map((key) =>
          rowOf(() => {
            const { bytes, items, lastSequence } = readItemsKey(key)
            return [lastSequence, items, bytes]
          }),
        ),
      ),
    queueContents: (queue, from, to) =>
      rows(() =>
        decoded(tables.queue_blocks.rows(place(queue, from), place(queue, to + 1)), ({ key, value }) => {
          const { about, content } = readItems(readItemsKey(key), value)
          return [about, content]
        }),
      ),
    cursors: rows(() =>
      decoded(tables.cursors.rows(firstName), ({ key, value }) => {
        const { epoch, name, origin, position, topics } = readCursor(key, value)
        return [name, topics, origin?.tenant ?? null, origin?.line ?? null, origin?.device ?? null, position, epoch]
      }),
    ),
    lastEpoch: attempt(() => readEpoch(tables)),
    records: rows(() =>
      decoded(tables.records.rows(firstName), (row) => {
        const { key, value } = readRecord(row.value)
        return recordKey(key).equals(row.key) ? [key, value] : []
      }),
    ),
  }
}

/** Where tables that say the same in different orders do not. */
const disagreements = (tables: Tables): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let blocks = 0
  for (const key of tables.blocks.keys(long(0))) {
    blocks += 1
    const block = readBlockKey(key)
    const value = tables.offsets.get(offsetKey(block))
    if (value === undefined || !value.equals(offsetValue(block))) {
      lines.push(`the block that ends at position ${block.lastPosition} is not in the table of offsets`)
    }
  }
  if (tables.offsets.count !== blocks) {
    lines.push(`there are ${tables.offsets.count} rows in the table of offsets, and ${blocks} blocks`)
  }
  if (tables.keys.count !== tables.key_names.count) {
    lines.push(`there are ${tables.keys.count} keys, and ${tables.key_names.count} names of keys`)
  }
  return lines
}

const lostKeys = (tables: Tables): ReadonlyArray<Row> => {
  const lost: Array<Row> = []
  for (const { key, value } of tables.keys.rows(long(0))) {
    const position = readLong(key)
    const { log, name } = readKey(value)
    const found = tables.blocks.firstKey(long(position))
    const block = found === undefined ? undefined : readBlockKey(found)
    if (block?.logNumber !== log || position <= block.lastPosition - block.messages) lost.push([position, log, name])
  }
  return lost
}

const lostQueues = (tables: Tables): ReadonlyArray<Row> => {
  const known = new Set(Array.from(tables.queues.rows(firstName), ({ key, value }) => readQueue(key, value).number))
  const lost = new Set<number>()
  for (const key of tables.queue_blocks.keys(itemsKey({ queue: 0, lastSequence: 0, items: 0, bytes: 0 }))) {
    const { queue } = readItemsKey(key)
    if (!known.has(queue)) lost.add(queue)
  }
  return [...lost].map((queue) => [queue])
}
