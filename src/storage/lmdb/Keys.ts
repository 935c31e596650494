/**
 * The tables of keys that make appends repeatable. A key's entry is at its message's position, so the oldest entries are
 * the first rows; the tables are bounded by dropping from that end, in the commit that adds.
 */
import type { AppendPlan, KeyedMessage } from "../parts/AppendPlan.ts"
import type { Tables } from "./Environment.ts"
import type { Located } from "./Journal.ts"
import { type KeyEntry, keyNameKey, keyValue, long, readKey, readLong } from "./Layout.ts"

/** What is remembered of a key of a log. */
export const find = (
  tables: Tables,
  log: number,
  name: string,
  locate: (position: number) => Located | undefined,
): KeyedMessage | undefined => {
  const value = tables.key_names.get(keyNameKey(log, name))
  if (value === undefined) return undefined
  const position = readLong(value)
  const entry = entryAt(tables, position)
  const message = locate(position)
  if (entry === undefined || message === undefined) return undefined
  const { content, offset } = message
  const { createdAt, deleted, id } = content
  return {
    offset,
    position,
    id,
    createdAt,
    keyedAt: entry.keyedAt,
    deleted,
    content: entry.digest ?? content,
  }
}

const entryAt = ({ keys }: Tables, position: number): KeyEntry | undefined => {
  const value = keys.get(long(position))
  return value === undefined ? undefined : readKey(value)
}

/**
 * Stores the keys of a plan, and drops the oldest beyond the bound; within a transaction.
 *
 * @param count how many there were
 * @returns how many there are
 */
export const remember = (
  tables: Tables,
  { keys }: AppendPlan,
  numberOf: (topic: string) => number,
  count: number,
  countMax: number,
): number => {
  let left = count
  for (const { key: name, keyedAt, log, position, replaces } of keys) {
    if (replaces !== undefined) {
      tables.keys.remove(long(replaces))
      left -= 1
    }
    const entry = { log: numberOf(log.topic), name, keyedAt, digest: undefined }
    tables.keys.put(long(position), keyValue(entry))
    tables.key_names.put(keyNameKey(entry.log, name), long(position))
    left += 1
  }
  if (left > countMax) left -= dropOldest(tables, left - countMax)
  return left
}

const dropOldest = (tables: Tables, excess: number): number => {
  const oldest: Array<{ readonly key: Buffer; readonly value: Buffer }> = []
  for (const row of tables.keys.rows(long(0))) {
    if (oldest.length === excess) break
    oldest.push(row)
  }
  for (const { key, value } of oldest) {
    const { log, name } = readKey(value)
    tables.keys.remove(key)
    tables.key_names.remove(keyNameKey(log, name))
  }
  return oldest.length
}

/** Forgets the keys of a log's messages from a position on; within a transaction. Gives how many there were. */
export const forget = ({ key_names, keys }: Tables, log: number, from: number): number => {
  const gone = Array.from(keys.rows(long(from))).filter(({ value }) => readKey(value).log === log)
  for (const { key, value } of gone) {
    keys.remove(key)
    key_names.remove(keyNameKey(log, readKey(value).name))
  }
  return gone.length
}

/** Tells which positions, from one to another, have a key whose message was not deleted. */
export const undigested = ({ keys }: Tables, first: number, last: number): ((position: number) => boolean) => {
  const positions = new Set<number>()
  for (const { key, value } of keys.rows(long(first), long(last + 1))) {
    if (readKey(value).digest === undefined) positions.add(readLong(key))
  }
  return (position) => positions.has(position)
}

/** Remembers the digest of a message that is being deleted. */
export const digest = (tables: Tables, position: number, bytes: Uint8Array): void => {
  const entry = entryAt(tables, position)
  if (entry !== undefined) tables.keys.put(long(position), keyValue({ ...entry, digest: bytes }))
}
