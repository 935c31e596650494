/**
 * What an examination reads of a store in an SQL database.
 */
import * as Effect from "effect/Effect"
import { rowsMax } from "../../examination/runs.ts"
import type { Source } from "../../examination/Source.ts"
import { textOf } from "../../parts/recordKeys.ts"
import type { Dialect } from "../Dialect.ts"
import { metaTable } from "../Format.ts"
import type { Session } from "../Session.ts"

const selectLogs = "SELECT log, topic, tenant, line, device, head FROM millrace_logs ORDER BY log"
const selectRanges = "SELECT log, first_offset, last_offset FROM millrace_tombstones ORDER BY log, first_offset"
const selectBlocks = `SELECT last_position, log, last_offset, messages, octet_length(content) FROM millrace_blocks
  WHERE last_position > ? ORDER BY last_position LIMIT ${rowsMax}`
const selectBlockContents = `SELECT content FROM millrace_blocks
  WHERE last_position >= ? AND last_position <= ? ORDER BY last_position`
const selectLostKeys = `SELECT k.position, k.log, k.name FROM millrace_keys k
  LEFT JOIN millrace_blocks b ON b.last_position =
    (SELECT last_position FROM millrace_blocks WHERE last_position >= k.position ORDER BY last_position LIMIT 1)
  WHERE b.log IS NULL OR b.log <> k.log OR k.position <= b.last_position - b.messages`
const selectKeyedLogs = "SELECT DISTINCT log FROM millrace_keys"
const selectQueues = "SELECT queue, name, first_sequence, last_sequence, attempts FROM millrace_queues ORDER BY queue"
const selectLostQueues = `SELECT DISTINCT queue FROM millrace_queue_blocks
  WHERE queue NOT IN (SELECT queue FROM millrace_queues)`
const selectQueueBlocks = `SELECT last_sequence, items, octet_length(content) FROM millrace_queue_blocks
  WHERE queue = ? AND last_sequence > ? ORDER BY last_sequence LIMIT ${rowsMax}`
const selectQueueContents = `SELECT about, content FROM millrace_queue_blocks
  WHERE queue = ? AND last_sequence >= ? AND last_sequence <= ? ORDER BY last_sequence`
const selectCursors = "SELECT name, topics, tenant, line, device, position, epoch FROM millrace_cursors"
const selectRecords = "SELECT name, value FROM millrace_records"

const readable = (column: unknown): unknown => (column instanceof Uint8Array ? textOf(column) : column)

export const sqlSource = (session: Session, dialect: Dialect): Source => {
  const first = (sql: string) => Effect.map(session.values(sql, []), (rows): unknown => rows[0]?.[0])
  return {
    prefix: "millrace_",
    currentFormat: dialect.migrations.length,
    definition: Effect.map(session.values(dialect.selectTables, []), (tables) => ({
      isEmpty: tables.length === 0,
      isStore: tables.some(([name]) => name === "millrace_meta"),
      altered: tables.flatMap(([name, sql]) =>
        // What SQLite makes by itself has no statement.
        String(name).startsWith("millrace_") &&
        typeof sql === "string" &&
        sql !== metaTable &&
        !dialect.migrations.some((statements) => statements.includes(sql))
          ? [String(name)]
          : [],
      ),
    })),
    meta: session.values("SELECT name, value FROM millrace_meta", []),
    nodes: dialect.selectNodes === undefined ? undefined : session.values(dialect.selectNodes, []),
    integrity: dialect.integrity(session),
    sizeBytes: dialect.sizeBytes(session),
    end: first("SELECT last_position FROM millrace_journal"),
    lastDiscarded: first("SELECT last_discarded FROM millrace_journal"),
    logs: session.values(selectLogs, []),
    deletedRanges: session.values(selectRanges, []),
    blocks: (after) => session.values(selectBlocks, [after]),
    blockContents: (from, to) => session.values(selectBlockContents, [from, to]),
    lostKeys: session.values(selectLostKeys, []),
    keyedLogs: session.values(selectKeyedLogs, []),
    queues: session.values(selectQueues, []),
    lostQueues: session.values(selectLostQueues, []),
    queueBlocks: (queue, after) => session.values(selectQueueBlocks, [queue, after]),
    queueContents: (queue, from, to) => session.values(selectQueueContents, [queue, from, to]),
    cursors: session.values(selectCursors, []),
    lastEpoch: first("SELECT last_epoch FROM millrace_cursor_epochs"),
    records: Effect.map(session.values(selectRecords, []), (rows) => rows.map((row) => row.map(readable))),
  }
}
