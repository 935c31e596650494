/**
 * What is new in the journal, as one statement for PostgreSQL. It is a transaction by itself: one round trip, and the
 * journal is locked for no longer than the server needs to write. It
 *
 *     fence     makes sure that this process still is the node, and holds whoever wants to become it off
 *     moved     locks the journal's row, takes positions from it — if what was planned with still holds
 *     …         writes rows, further on by as many positions as others have written since it was planned
 *
 * and gives the journal's end before it; or no row, where nothing was written.
 */
import type { JournalRows, KeyRows, KnownJournal } from "../JournalWrite.ts"
import type { Statement } from "../Session.ts"
import type { Membership } from "../Sharing.ts"

/** Numbers as a text that PostgreSQL reads as an array: clients differ in how they pass arrays of numbers. */
const numbers = (values: ReadonlyArray<number>): string => `{${values.join(",")}}`

/** Whoever is alone needs not be told what he writes. */
const hasPeers = "EXISTS (SELECT FROM millrace_nodes WHERE node <> ?::int)"
const tellMoved = `, CASE WHEN ${hasPeers} THEN pg_notify(?, 'moved ' || ?::int || ' ' || moved.shift + ?::bigint) END`

const insertLogs = `created AS (
    INSERT INTO millrace_logs (log, topic, tenant, line, device, head)
    SELECT new.* FROM moved, unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[]) AS new
  )`
const insertBlocks = `blocks AS (
    INSERT INTO millrace_blocks (last_position, log, last_offset, messages, content)
    SELECT moved.shift + new.position, new.log, new.last_offset, new.messages, new.content
    FROM moved, unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::int[], ?::bytea[])
      AS new (position, log, last_offset, messages, content)
  )`
const updateHeads = `heads AS (
    UPDATE millrace_logs SET head = new.head FROM moved, unnest(?::bigint[], ?::bigint[]) AS new (log, head)
    WHERE millrace_logs.log = new.log
  )`
const insertKeys = `keys AS (
    INSERT INTO millrace_keys (position, node, log, name, keyed_at)
    SELECT moved.shift + new.position, ?::int, new.log, new.name, new.keyed_at
    FROM moved, unnest(?::bigint[], ?::bigint[], ?::text[], ?::bigint[]) AS new (position, log, name, keyed_at)
    ON CONFLICT (log, name) DO UPDATE SET position = excluded.position, keyed_at = excluded.keyed_at, digest = NULL
  )`
const deleteKeys = `deleted AS (
    DELETE FROM millrace_keys USING moved WHERE position = ANY(?::bigint[])
  )`
const deleteOldestKeys = `oldest AS (
    DELETE FROM millrace_keys USING moved WHERE position IN (
      SELECT position FROM millrace_keys WHERE node = ?::int AND position <> ALL(?::bigint[])
      ORDER BY position LIMIT ?::bigint)
  )`

export const journalStatement = (rows: JournalRows, { foreignChanges, sharing }: KnownJournal): Statement => {
  const { blocks, created, keys, moved, wasEnd, wasLastLog } = rows
  const end = rows.end ?? wasEnd
  const { channel, epoch, number } = sharing!.membership
  const params: Array<unknown> = [number, epoch, end - wasEnd, created.length, foreignChanges]
  const parts = [
    `fence AS (SELECT node FROM millrace_nodes WHERE node = ?::int AND epoch = ?::bigint FOR SHARE)`,
    `moved AS (
      UPDATE millrace_journal SET last_position = last_position + ?::bigint, last_log = last_log + ?::bigint
      FROM fence WHERE one = 1 AND foreign_changes = ?::bigint${created.length > 0 ? " AND last_log = ?::bigint" : ""}
      RETURNING last_position - ?::bigint AS before, last_position - ?::bigint AS shift
    )`,
  ]
  if (created.length > 0) params.push(wasLastLog)
  params.push(end - wasEnd, end)
  if (created.length > 0) {
    parts.push(insertLogs)
    params.push(
      numbers(created.map(({ row }) => row.number)),
      created.map(({ row }) => row.log.topic),
      created.map(({ row }) => row.log.origin.tenant),
      created.map(({ row }) => row.log.origin.line),
      created.map(({ row }) => row.log.origin.device),
      numbers(created.map(({ head }) => head)),
    )
  }
  if (blocks.length > 0) {
    parts.push(insertBlocks)
    params.push(
      numbers(blocks.map(({ lastPosition }) => lastPosition)),
      numbers(blocks.map(({ log }) => log.number)),
      numbers(blocks.map(({ lastOffset }) => lastOffset)),
      numbers(blocks.map(({ messages }) => messages)),
      blocks.map(({ content }) => content),
    )
  }
  if (moved.length > 0) {
    parts.push(updateHeads)
    params.push(numbers(moved.map(({ row }) => row.number)), numbers(moved.map(({ head }) => head)))
  }
  if (keys !== undefined) addKeys(parts, params, keys, number)
  const told = end > wasEnd ? tellMoved : ""
  if (end > wasEnd) params.push(number, channel, number, end)
  return [`WITH ${parts.join(",\n  ")}\n  SELECT before${told} FROM moved`, params]
}

/** Tells other nodes that queues got new items. */
export const tellEnqueued = (queues: ReadonlyArray<string>, { channel, number }: Membership): Statement => [
  `SELECT pg_notify(?, 'enqueued ' || ?::int || ' ' || queue) FROM unnest(?::text[]) AS queue WHERE ${hasPeers}`,
  [channel, number, queues, number],
]

const addKeys = (parts: Array<string>, params: Array<unknown>, { added, deleted, excess }: KeyRows, node: number) => {
  parts.push(insertKeys)
  params.push(
    node,
    numbers(added.map(({ position }) => position)),
    numbers(added.map(({ log }) => log)),
    added.map(({ key }) => key),
    numbers(added.map(({ keyedAt }) => keyedAt)),
  )
  if (deleted.length > 0) {
    parts.push(deleteKeys)
    params.push(numbers(deleted))
  }
  if (excess > 0) {
    const replaced = added.flatMap(({ replaces }) => (replaces === undefined ? [] : [replaces]))
    parts.push(deleteOldestKeys)
    params.push(node, numbers([...deleted, ...replaced]), excess)
  }
}
