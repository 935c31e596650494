/**
 * The statements that write what is on its way into the journal, to be run within a transaction.
 */
import { JournalBlocks } from "../JournalBlocks.ts"
import type { Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"

export type { JournalState } from "../JournalBlocks.ts"

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

export class JournalWrite extends JournalBlocks {
  /** The statements that write everything; to be run once, within the transaction. */
  statements(): Array<Statement> {
    const { blocks, created, end, moved } = this.changes()
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
    return list
  }
}
