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
import { type AppendPlan, type KeyedMessage, planAppend, type PlannedLog } from "../parts/AppendPlan.ts"
import type { AppendResult, BlockPlace, Draft, DraftBlock, KeyWindow } from "../LogStore.ts"
import { locate } from "./Blocks.ts"
import { type JournalState, JournalWrite } from "./JournalWrite.ts"
import type { Session } from "./Session.ts"
import { grouped } from "./Statements.ts"
import type { JournalPlan, Planned } from "./WriteTransaction.ts"

export interface AppendContext {
  readonly node: NodeId
  readonly keyWindow: KeyWindow
  readonly journal: JournalState
  /** How many keys are remembered. */
  readonly keys: { count: number }
}

/** What an append will write. */
export const planDrafts = (
  session: Session,
  context: AppendContext,
  requests: ReadonlyArray<ReadonlyArray<Draft>>,
): Effect.Effect<JournalPlan<AppendResult>, SqlError> =>
  Effect.gen(function* () {
    const { journal, keys, keyWindow, node } = context
    const { end } = journal
    const stored = yield* findKeys(session, context, requests)
    const plan = planAppend(requests, {
      end,
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
    const count = rememberKeys(context, plan, write)
    return {
      write,
      value: () => shifted(plan.result, end, write.shift),
      committed: () => {
        write.committed()
        keys.count = count
      },
    }
  })

/** The result where what is new lies so much further on: all that is new lies beyond what was the end. */
const shifted = (result: AppendResult, end: number, shift: number): AppendResult =>
  shift === 0
    ? result
    : { ...result, positions: result.positions.map((position) => (position > end ? position + shift : position)) }

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

/** What the plan does to the table of keys. Gives how many there are then. */
const rememberKeys = (
  { keyWindow, keys, node }: AppendContext,
  { keys: planned }: AppendPlan,
  write: JournalWrite,
): number => {
  if (planned.length === 0) return keys.count
  let last: PlannedLog | undefined
  let number = 0
  // Of more than are remembered only the latest are stored at all.
  const first = Math.max(planned.length - keyWindow.count, 0)
  const added = planned.slice(first).map(({ key, keyedAt, log, position, replaces }) => {
    if (log !== last) {
      last = log
      number = write.log({ topic: log.topic, origin: node }).row.number
    }
    return { position, log: number, key, keyedAt, replaces }
  })
  const deleted = planned.slice(0, first).flatMap(({ replaces }) => (replaces === undefined ? [] : [replaces]))
  const kept = keys.count - deleted.length - added.filter(({ replaces }) => replaces !== undefined).length
  write.keys = { added, deleted, excess: Math.max(kept + added.length - keyWindow.count, 0) }
  return Math.min(kept + added.length, keyWindow.count)
}
