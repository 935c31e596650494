/**
 * What is new in the journal, as statements for SQLite.
 */
import type { JournalRows } from "../JournalWrite.ts"
import type { Statement } from "../Session.ts"
import { addRows, grouped } from "../Statements.ts"

const insertLogs = grouped(
  6,
  (rows) => `INSERT INTO millrace_logs (log, topic, tenant, line, device, head) VALUES ${rows}`,
)
const insertBlocks = grouped(
  5,
  (rows) => `INSERT INTO millrace_blocks (last_position, log, last_offset, messages, content) VALUES ${rows}`,
)
const updateHeads = grouped(
  2,
  (rows) =>
    `WITH moved (head, log) AS (VALUES ${rows})
     UPDATE millrace_logs SET head = moved.head FROM moved WHERE millrace_logs.log = moved.log`,
  "UPDATE millrace_logs SET head = ? WHERE log = ?",
)
const updateEnd = "UPDATE millrace_journal SET last_position = ? WHERE one = 1"
const insertKeys = grouped(4, (rows) => `INSERT INTO millrace_keys (position, log, name, keyed_at) VALUES ${rows}`)
const deleteKeys = grouped(1, (positions) => `DELETE FROM millrace_keys WHERE position IN (${positions})`)
const deleteOldestKeys =
  "DELETE FROM millrace_keys WHERE position IN (SELECT position FROM millrace_keys ORDER BY position LIMIT ?)"

export const journalStatements = ({ blocks, created, end, keys, moved }: JournalRows): Array<Statement> => {
  const list: Array<Statement> = []
  addRows(list, insertLogs, created.length, (params, row) => {
    const { head, row: log } = created[row]!
    const { origin, topic } = log.log
    params.push(log.number, topic, origin.tenant, origin.line, origin.device, head)
  })
  addRows(list, insertBlocks, blocks.length, (params, row) => {
    const { content, lastOffset, lastPosition, log, messages } = blocks[row]!
    params.push(lastPosition, log.number, lastOffset, messages, content)
  })
  addRows(list, updateHeads, moved.length, (params, row) => {
    params.push(moved[row]!.head, moved[row]!.row.number)
  })
  if (end !== undefined) list.push([updateEnd, [end]])
  if (keys === undefined) return list
  const gone = [...keys.deleted, ...keys.added.flatMap(({ replaces }) => (replaces === undefined ? [] : [replaces]))]
  addRows(list, deleteKeys, gone.length, (params, row) => {
    params.push(gone[row])
  })
  addRows(list, insertKeys, keys.added.length, (params, row) => {
    const { key, keyedAt, log, position } = keys.added[row]!
    params.push(position, log, key, keyedAt)
  })
  if (keys.excess > 0) list.push([deleteOldestKeys, [keys.excess]])
  return list
}
