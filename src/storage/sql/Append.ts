/**
 * Appending drafts to this node's logs, and the table of keys that makes appends repeatable.
 *
 * A key's entry is at its message's position, so the oldest entries are the first rows. The table is bounded by
 * dropping from that end, in the same commit, as many as came in; nothing is scanned. Batches without keys do not
 * touch it.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { NodeId } from "../../domain/NodeId.ts"
import { type AppendPlan, type KeyedMessage, planAppend, type PlannedLog } from "../AppendPlan.ts"
import type { AppendResult, BlockPlace, Draft, DraftBlock, KeyWindow } from "../LogStore.ts"
import { locate } from "./Blocks.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
import type { Session, Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"
import type { Planned, Written } from "./WriteTransaction.ts"

export interface AppendContext {
  readonly node: NodeId
  readonly keyWindow: KeyWindow
  readonly journal: JournalState
  /** How many keys are remembered. */
  readonly keys: { count: number }
}

export const append = (
  session: Session,
  context: AppendContext,
  requests: ReadonlyArray<ReadonlyArray<Draft>>,
): Effect.Effect<Written<AppendResult>, SqlError> =>
  Effect.gen(function* () {
    const { journal, keys, keyWindow, node } = context
    const stored = yield* findKeys(session, context, requests)
    const plan = planAppend(requests, {
      end: journal.end,
      head: (topic) => journal.logs.find({ topic, origin: node })?.head ?? 0,
      keyed: (topic, key) => stored.get(topic)?.get(key),
      keyWindow,
    })
    const write = new JournalWrite(journal)
    const { drafts, logs } = plan
    for (let i = 0; i < drafts.length;) {
      const planned = logs[i]!
      const log = write.log({ topic: planned.topic, origin: node })
      for (; i < drafts.length && logs[i] === planned; i++) write.add(log, drafts[i]!)
    }
    const statements = write.statements()
    const count = rememberKeys(statements, context, plan, write)
    yield* session.runAll(statements)
    return {
      value: plan.result,
      committed: () => {
        write.committed()
        keys.count = count
      },
    }
  })

/** What appending encoded blocks, which have no keys, will write. */
export const planBlocks = (
  { journal, node }: AppendContext,
  blocks: ReadonlyArray<DraftBlock>,
): Planned<ReadonlyArray<BlockPlace>> => {
  const write = new JournalWrite(journal)
  const value = blocks.map(({ content, messages, topic }) =>
    write.addBlock(write.log({ topic, origin: node }), messages, content),
  )
  return { value, statements: write.statements(), committed: () => write.committed() }
}

type StoredKeys = ReadonlyMap<string, ReadonlyMap<string, KeyedMessage>>

const selectKeys = grouped(
  1,
  (names) => `SELECT name, position, digest, keyed_at FROM millrace_keys WHERE log = ? AND name IN (${names})`,
)

/** What is remembered of the keys in a batch, by topic and key. */
const findKeys = (
  session: Session,
  { journal, keys, node }: AppendContext,
  requests: ReadonlyArray<ReadonlyArray<Draft>>,
): Effect.Effect<StoredKeys, SqlError> => {
  const found = new Map<string, Map<string, KeyedMessage>>()
  if (keys.count === 0) return Effect.succeed(found)
  const asked = new Map<string, Set<string>>()
  for (const request of requests) {
    for (const { topic, key } of request) {
      if (key === undefined) continue
      const names = asked.get(topic)
      if (names === undefined) asked.set(topic, new Set([key]))
      else names.add(key)
    }
  }
  if (asked.size === 0) return Effect.succeed(found)
  return Effect.gen(function* () {
    for (const [topic, names] of asked) {
      const log = journal.logs.find({ topic, origin: node })
      if (log === undefined) continue
      const entries = new Map<string, KeyedMessage>()
      found.set(topic, entries)
      const list = [...names]
      const rows: Array<ReadonlyArray<unknown>> = []
      let at = 0
      for (const [size, text] of selectKeys.texts) {
        for (; list.length - at >= size; at += size) {
          rows.push(...(yield* session.values(text, [log.number, ...list.slice(at, at + size)])))
        }
      }
      const messages = yield* locate(
        session,
        rows.map(([, position]) => position as number).toSorted((a, b) => a - b),
      )
      for (const [name, position, digest, keyedAt] of rows) {
        const { content, offset } = messages.get(position as number)!
        const { createdAt, deleted, id } = content
        entries.set(name as string, {
          offset,
          position: position as number,
          id,
          createdAt,
          keyedAt: keyedAt as number,
          deleted,
          content: (digest as Uint8Array | null) ?? content,
        })
      }
    }
    return found
  })
}

const insertKeys = grouped(4, (rows) => `INSERT INTO millrace_keys (position, log, name, keyed_at) VALUES ${rows}`)
const deleteKeys = grouped(1, (positions) => `DELETE FROM millrace_keys WHERE position IN (${positions})`)
const deleteOldestKeys =
  "DELETE FROM millrace_keys WHERE position IN (SELECT position FROM millrace_keys ORDER BY position LIMIT ?)"

/** Adds the statements that store the plan's keys and drop the oldest beyond the bound. Gives how many there are then. */
const rememberKeys = (
  statements: Array<Statement>,
  { keyWindow, keys, node }: AppendContext,
  { keys: added }: AppendPlan,
  write: JournalWrite,
): number => {
  if (added.length === 0) return keys.count
  const replaced = added.flatMap(({ replaces }) => (replaces === undefined ? [] : [replaces]))
  addRows(statements, deleteKeys, replaced.length, (params, row) => {
    params.push(replaced[row])
  })
  let planned: PlannedLog | undefined
  let number = 0
  addRows(statements, insertKeys, added.length, (params, row) => {
    const { key, keyedAt, log, position } = added[row]!
    if (log !== planned) {
      planned = log
      number = write.log({ topic: log.topic, origin: node }).row.number
    }
    params.push(position, number, key, keyedAt)
  })
  const count = keys.count + added.length - replaced.length
  const excess = count - keyWindow.count
  if (excess > 0) statements.push([deleteOldestKeys, [excess]])
  return Math.min(count, keyWindow.count)
}
