/**
 * Items of queues as rows, and the statements that write what was planned.
 */
import type { Death, QueueItem } from "../../domain/QueueItem.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { headersFromText, headersToText } from "../Content.ts"
import type { ItemPlace, QueuePlan } from "../QueuePlan.ts"
import type { QueueRow, QueueTable } from "./QueueTable.ts"
import type { Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"

/** Where an item is, and its size in bytes. */
export const sizeColumns =
  "i.sequence, octet_length(i.payload) + octet_length(i.topic) + coalesce(octet_length(i.headers), 0) AS size"

/** The columns that `toItem` takes. */
export const itemColumns =
  "i.sequence, i.id, i.attempts, i.created_at, i.topic, i.source, i.target, i.headers, i.death, i.payload"

export type ItemRow = readonly [
  sequence: number,
  id: string,
  attempts: number,
  createdAt: number,
  topic: string,
  source: string,
  target: string | null,
  headers: string | null,
  death: string | null,
  payload: Uint8Array,
]

// What is parsed here was written here, so it is trusted.
const nodeToText = ({ device, line, tenant }: NodeId): string => JSON.stringify([tenant, line, device])

/** The same, for nodes of which there are few. */
const rememberingText = (): ((node: NodeId) => string) => {
  let last: NodeId | undefined
  let text = ""
  return (node) => {
    if (node !== last) text = nodeToText((last = node))
    return text
  }
}
const nodeFromText = (text: string): NodeId => {
  const [tenant, line, device] = JSON.parse(text) as [string, string, string]
  return { tenant, line, device }
}
const deathToText = ({ at, attempts, reason, sequence }: Death): string =>
  JSON.stringify({ sequence, attempts, reason, at })
const deathFromText = (text: string): Death => {
  const { at, attempts, reason, sequence } = JSON.parse(text) as Death
  return { sequence, attempts, reason, at }
}

export const toItem = (
  queue: string,
  [sequence, id, attempts, createdAt, topic, source, target, headers, death, payload]: ItemRow,
): QueueItem => ({
  queue,
  id,
  sequence,
  attempts,
  topic,
  source: nodeFromText(source),
  target: target === null ? undefined : nodeFromText(target),
  createdAt,
  headers: headersFromText(headers),
  payload,
  death: death === null ? undefined : deathFromText(death),
})

const insertItems = grouped(
  11,
  (rows) =>
    `INSERT INTO millrace_queue_items
      (queue, sequence, id, attempts, created_at, topic, source, target, headers, death, payload) VALUES ${rows}`,
)
const removeItems = grouped(
  2,
  (rows) => `DELETE FROM millrace_queue_items WHERE (queue, sequence) IN (VALUES ${rows})`,
  "DELETE FROM millrace_queue_items WHERE queue = ? AND sequence = ?",
)
const countAttempts = "UPDATE millrace_queue_items SET attempts = ? WHERE queue = ? AND sequence = ?"
const moveItem = `UPDATE millrace_queue_items SET queue = ?, sequence = ?, attempts = ?, death = ?
  WHERE queue = ? AND sequence = ?`
const upsertQueue = `INSERT INTO millrace_queues (queue, name, depth, last_sequence) VALUES (?, ?, ?, ?)
  ON CONFLICT (queue) DO UPDATE SET depth = excluded.depth, last_sequence = excluded.last_sequence`

/** The statements that write a plan, to be run within a transaction, and what to take over once it is committed. */
export const writeQueues = (
  table: QueueTable,
  plan: QueuePlan,
): { readonly statements: ReadonlyArray<Statement>; readonly committed: () => void } => {
  const rows = new Map<string, QueueRow>()
  let { lastNumber } = table
  for (const [name, { depth, lastSequence }] of plan.queues) {
    rows.set(name, { number: table.find(name)?.number ?? ++lastNumber, depth, lastSequence })
  }
  // An item that only had an attempt counted is in a queue that is not changed itself.
  const numberOf = ({ queue }: ItemPlace): number => (rows.get(queue) ?? table.find(queue)!).number

  const statements: Array<Statement> = []
  for (const [name, { depth, lastSequence, number }] of rows) {
    statements.push([upsertQueue, [number, name, depth, lastSequence]])
  }
  const { changes, inserts } = plan
  const removed = changes.filter(({ change }) => change.type === "remove")
  addRows(statements, removeItems, removed.length, (params, row) => {
    const { item } = removed[row]!
    params.push(numberOf(item), item.sequence)
  })
  for (const { change, item } of changes) {
    if (change.type === "count") statements.push([countAttempts, [change.attempts, numberOf(item), item.sequence]])
    if (change.type === "move") {
      const { attempts, death, to } = change
      const text = death === undefined ? null : deathToText(death)
      statements.push([moveItem, [numberOf(to), to.sequence, attempts, text, numberOf(item), item.sequence]])
    }
  }
  const sourceText = rememberingText()
  addRows(statements, insertItems, inserts.length, (params, row) => {
    const { attempts, death, item, place } = inserts[row]!
    const { createdAt, headers, id, payload, source, target, topic } = item
    params.push(numberOf(place), place.sequence, id, attempts, createdAt, topic, sourceText(source))
    params.push(target === undefined ? null : nodeToText(target), headersToText(headers))
    params.push(death === undefined ? null : deathToText(death), payload)
  })
  return { statements, committed: () => rows.forEach((row, name) => table.set(name, row)) }
}
