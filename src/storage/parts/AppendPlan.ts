/**
 * What an append will do, worked out before anything is written: which drafts get which offsets and positions, which
 * were stored before under their key, and which requests are refused. Every backend that numbers messages by itself
 * plans with this and then writes the plan's rows.
 *
 * Offsets follow the heads and positions follow the journal's end, in batch order, without gaps: a refused request
 * takes none. A key counts as used from the moment an earlier request of the batch, or an earlier draft of the same
 * request, used it.
 */
import { contentEqual, type KnownContent } from "./Content.ts"
import type { AppendConflict, AppendRepeat, AppendResult, Draft, KeyWindow } from "../LogStore.ts"

/** A message that was stored under a key. */
export interface KeyedMessage {
  readonly offset: number
  readonly position: number
  readonly id: string
  /** The message's creation time, in milliseconds since 1970. */
  readonly createdAt: number
  /** When the key was used, as `Draft.keyedAt`: its age counts from there. */
  readonly keyedAt: number
  readonly deleted: boolean
  readonly content: KnownContent
}

/** What a plan has to know of the store as it is. */
export interface AppendState {
  /** The journal's last position. */
  readonly end: number
  /** The head of this node's log of a topic; 0 where there is none. */
  readonly head: (topic: string) => number
  /** What is remembered of a key, however old. */
  readonly keyed: (topic: string, key: string) => KeyedMessage | undefined
  readonly keyWindow: KeyWindow
}

/** A log that gets new messages. */
export interface PlannedLog {
  readonly topic: string
  /** Head after the append. */
  head: number
}

/** A key to remember. */
export interface PlannedKey {
  readonly log: PlannedLog
  readonly key: string
  readonly position: number
  readonly keyedAt: number
  /** Position of an entry that is too old to count and has to make room. */
  readonly replaces: number | undefined
}

export interface AppendPlan {
  readonly result: AppendResult
  /** What to store, in journal order: each draft takes the next position, and the next offset of its log. */
  readonly drafts: ReadonlyArray<Draft>
  /** The logs of the drafts, one for one. */
  readonly logs: ReadonlyArray<PlannedLog>
  readonly keys: ReadonlyArray<PlannedKey>
}

const keyedAtOf = ({ createdAt, keyedAt }: Draft): number => keyedAt ?? createdAt

const keyName = (topic: string, key: string): string => `${topic}\0${key}`

export const planAppend = (requests: ReadonlyArray<ReadonlyArray<Draft>>, state: AppendState): AppendPlan => {
  const offsets: Array<number> = []
  const positions: Array<number> = []
  const repeats: Array<AppendRepeat> = []
  const conflicts: Array<AppendConflict> = []
  const drafts: Array<Draft> = []
  const logs: Array<PlannedLog> = []
  const heads = new Map<string, PlannedLog>()
  const used = new Map<string, KeyedMessage>()
  const keys = new Map<string, PlannedKey>()

  let topic: string | undefined
  let log: PlannedLog | undefined
  const store = (draft: Draft): PlannedLog => {
    if (log === undefined || topic !== draft.topic) {
      topic = draft.topic
      log = heads.get(topic)
      if (log === undefined) {
        log = { topic, head: state.head(topic) }
        heads.set(topic, log)
      }
    }
    log.head += 1
    drafts.push(draft)
    logs.push(log)
    offsets.push(log.head)
    positions.push(state.end + drafts.length)
    return log
  }

  const find = (name: string, draft: Draft): KeyedMessage | undefined => {
    const entry = used.get(name) ?? state.keyed(draft.topic, draft.key!)
    return entry !== undefined && keyedAtOf(draft) - entry.keyedAt <= state.keyWindow.millis ? entry : undefined
  }

  for (let request = 0; request < requests.length; request++) {
    const batch = requests[request]!
    const conflict = keyConflict(batch, request, find)
    if (conflict !== undefined) {
      conflicts.push(conflict)
      for (let i = 0; i < batch.length; i++) {
        offsets.push(0)
        positions.push(0)
      }
      continue
    }
    for (const draft of batch) {
      if (draft.key === undefined) {
        store(draft)
        continue
      }
      const name = keyName(draft.topic, draft.key)
      const entry = find(name, draft)
      if (entry !== undefined) {
        repeats.push({ draft: offsets.length, id: entry.id, createdAt: entry.createdAt, deleted: entry.deleted })
        offsets.push(entry.offset)
        positions.push(entry.position)
        continue
      }
      const log = store(draft)
      const position = state.end + drafts.length
      const { id, createdAt } = draft
      const keyedAt = keyedAtOf(draft)
      used.set(name, { offset: log.head, position, id, createdAt, keyedAt, deleted: false, content: draft })
      keys.delete(name)
      const replaces = state.keyed(draft.topic, draft.key)?.position
      keys.set(name, { log, key: draft.key, position, keyedAt, replaces })
    }
  }
  return {
    result: { offsets, positions, repeats, conflicts },
    drafts,
    logs,
    keys: [...keys.values()],
  }
}

/** The first key of a request that was used for other content, if any. */
const keyConflict = (
  batch: ReadonlyArray<Draft>,
  request: number,
  find: (name: string, draft: Draft) => KeyedMessage | undefined,
): AppendConflict | undefined => {
  let own: Map<string, Draft> | undefined
  for (const draft of batch) {
    if (draft.key === undefined) continue
    const name = keyName(draft.topic, draft.key)
    const entry = find(name, draft)
    const known = entry?.content ?? own?.get(name)
    if (known === undefined) {
      if (batch.length > 1) (own ??= new Map()).set(name, draft)
    } else if (!contentEqual(known, draft.headers, draft.payload)) {
      // A key that is at odds with itself within the request is stored nowhere, so there is no offset to name.
      return { request, topic: draft.topic, key: draft.key, offset: entry?.offset ?? 0 }
    }
  }
  return undefined
}
