/**
 * What a store of logs must do, in the simplest words: lists that are searched from end to end. The conformance suite
 * runs random programs against a store and against this model and compares every answer.
 */
import type { LogHead, LogId } from "../../domain/LogId.ts"
import { key as logKey } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { matches } from "../../domain/TopicFilter.ts"
import type {
  AppendConflict,
  AppendRepeat,
  AppendResult,
  Draft,
  JournalFilter,
  KeyWindow,
  ReplicatedMessage,
  TombstoneRequest,
} from "../../storage/LogStore.ts"

/** A stored message in a form that compares with `toEqual`: the payload as hex. */
export interface ModelMessage {
  readonly topic: string
  readonly origin: string
  readonly offset: number
  readonly position: number
  readonly id: string
  readonly createdAt: number
  readonly headers: string
  readonly payload: string
  readonly deleted: boolean
}

/** Headers as text, in the order of their names. */
const headersText = (headers: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1)))

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const originText = ({ tenant, line, device }: NodeId): string => `${tenant}/${line}/${device}`

/** A message that a store gave, in the model's form. */
export const observe = (message: Message): ModelMessage => ({
  topic: message.topic,
  origin: originText(message.origin),
  offset: message.offset,
  position: message.position,
  id: message.id,
  createdAt: message.createdAt,
  headers: headersText(message.headers),
  payload: hex(message.payload),
  deleted: message.deleted,
})

const parts = ({ origin, topic }: LogId) => [topic, origin.tenant, origin.line, origin.device]

interface ModelKey {
  readonly log: string
  readonly key: string
  readonly content: string
  readonly position: number
  readonly createdAt: number
}

type AcceptOutcome =
  | { readonly accepted: ReadonlyArray<ModelMessage>; readonly head: number }
  | { readonly conflict: number }
  | { readonly expected: number; readonly received: number }

export class StorageModel {
  readonly node: NodeId
  readonly keyWindow: KeyWindow
  /** What is stored, in the order of positions. */
  journal: Array<ModelMessage> = []
  /** The journal's last position. */
  end = 0
  private keys: Array<ModelKey> = []
  private readonly logs = new Map<string, LogId>()
  private readonly tombstoned = new Set<string>()

  constructor(node: NodeId, keyWindow: KeyWindow) {
    this.node = node
    this.keyWindow = keyWindow
  }

  log(log: LogId): Array<ModelMessage> {
    return this.journal.filter(({ origin, topic }) => topic === log.topic && origin === originText(log.origin))
  }

  head(log: LogId): number {
    return this.log(log).length
  }

  heads(): Array<LogHead> {
    return [...this.logs.values()]
      .map((log) => Object.assign({ offset: this.head(log) }, log))
      .filter(({ offset }) => offset > 0)
      .toSorted((a, b) => {
        const differing = parts(a).findIndex((part, i) => part !== parts(b)[i])
        return differing === -1 ? 0 : parts(a)[differing]! < parts(b)[differing]! ? -1 : 1
      })
  }

  selected(after: number, filter: JournalFilter): Array<ModelMessage> {
    return this.journal.filter(
      ({ origin, position, topic }) =>
        position > after &&
        matches(filter.topics, topic) &&
        (filter.origin === undefined || origin === originText(filter.origin)),
    )
  }

  append(requests: ReadonlyArray<ReadonlyArray<Draft>>): AppendResult {
    const offsets: Array<number> = []
    const positions: Array<number> = []
    const repeats: Array<AppendRepeat> = []
    const conflicts: Array<AppendConflict> = []
    requests.forEach((request, index) => {
      // Each request is tried on the model itself; a refused one is undone.
      const before = { journal: [...this.journal], keys: [...this.keys], end: this.end }
      const places: Array<{ offset: number; position: number; repeat: ModelMessage | undefined }> = []
      let conflict: AppendConflict | undefined
      for (const draft of request) {
        const log = { topic: draft.topic, origin: this.node }
        const content = headersText(draft.headers) + hex(draft.payload)
        const known = this.keys.find(
          (entry) =>
            entry.log === logKey(log) &&
            entry.key === draft.key &&
            draft.createdAt - entry.createdAt <= this.keyWindow.millis,
        )
        if (known !== undefined) {
          const stored = this.at(known.position)
          if (known.content !== content) {
            const isOwn = known.position > before.end
            const offset = isOwn ? 0 : stored.offset
            conflict ??= { request: index, topic: draft.topic, key: draft.key!, offset }
          }
          places.push({ offset: stored.offset, position: stored.position, repeat: stored })
          continue
        }
        const stored = this.store(log, { ...draft, deleted: false })
        if (draft.key !== undefined) {
          const { key, createdAt } = draft
          this.keys = this.keys.filter((entry) => entry.log !== logKey(log) || entry.key !== key)
          this.keys.push({ log: logKey(log), key, content, position: stored.position, createdAt })
        }
        places.push({ offset: stored.offset, position: stored.position, repeat: undefined })
      }
      if (conflict !== undefined) {
        conflicts.push(conflict)
        this.journal = before.journal
        this.keys = before.keys
        this.end = before.end
      }
      for (const { offset, position, repeat } of places) {
        if (repeat !== undefined && conflict === undefined) {
          const { id, createdAt, deleted } = repeat
          repeats.push({ draft: offsets.length, id, createdAt, deleted })
        }
        offsets.push(conflict === undefined ? offset : 0)
        positions.push(conflict === undefined ? position : 0)
      }
    })
    this.keys = this.keys.slice(Math.max(0, this.keys.length - this.keyWindow.count))
    return { offsets, positions, repeats, conflicts }
  }

  accept(log: LogId, messages: ReadonlyArray<ReplicatedMessage>): AcceptOutcome {
    const before = { journal: [...this.journal], end: this.end }
    const undo = (): void => void Object.assign(this, before)
    const accepted: Array<number> = []
    for (const message of messages) {
      const expected = this.head(log) + 1
      if (message.offset > expected) {
        undo()
        return { expected, received: message.offset }
      }
      if (message.offset < expected) {
        const stored = this.log(log)[message.offset - 1]!
        const contentDiffers =
          stored.headers !== headersText(message.headers) || stored.payload !== hex(message.payload)
        if (
          stored.id !== message.id ||
          stored.createdAt !== message.createdAt ||
          (contentDiffers && !stored.deleted && !message.deleted)
        ) {
          undo()
          return { conflict: message.offset }
        }
        if (message.deleted) this.erase(stored)
        continue
      }
      const deleted = message.deleted || this.tombstoned.has(`${logKey(log)} ${message.offset}`)
      accepted.push(this.store(log, { ...message, deleted }).position)
    }
    return { accepted: accepted.map((position) => this.at(position)), head: this.head(log) }
  }

  tombstone({ from, log, marker, to }: TombstoneRequest): { deleted: number; marker: ModelMessage | undefined } {
    const last = marker === undefined ? to : Math.min(to, this.head(log))
    let deleted = 0
    for (let offset = from; offset <= last; offset++) {
      this.tombstoned.add(`${logKey(log)} ${offset}`)
      const stored = this.log(log)[offset - 1]
      if (stored !== undefined && this.erase(stored)) deleted += 1
    }
    if (deleted === 0 || marker === undefined) return { deleted, marker: undefined }
    const { device, line, tenant } = log.origin
    const text = JSON.stringify({
      topic: log.topic,
      origin: { tenant_id: tenant, bl_name: line, device_id: device },
      from_head_id: from,
      to_head_id: last,
      created_at_ms: marker.createdAt,
    })
    const stored = this.store(
      { topic: "$msgbus.delete", origin: this.node },
      { ...marker, headers: {}, payload: Buffer.from(text), deleted: false },
    )
    return { deleted, marker: stored }
  }

  discard(log: LogId, from: number): { head: number; discarded: number } {
    const gone = this.log(log).slice(Math.max(from, 1) - 1)
    if (gone.length > 0) this.end += 1
    this.journal = this.journal.filter((message) => !gone.includes(message))
    this.keys = this.keys.filter(({ position }) => !gone.some((message) => message.position === position))
    return { head: this.head(log), discarded: gone.length }
  }

  private at(position: number): ModelMessage {
    return this.journal.find((message) => message.position === position)!
  }

  private store(log: LogId, message: Omit<ReplicatedMessage, "offset">): ModelMessage {
    this.logs.set(logKey(log), { topic: log.topic, origin: log.origin })
    const stored: ModelMessage = {
      topic: log.topic,
      origin: originText(log.origin),
      offset: this.head(log) + 1,
      position: ++this.end,
      id: message.id,
      createdAt: message.createdAt,
      headers: message.deleted ? "[]" : headersText(message.headers),
      payload: message.deleted ? "" : hex(message.payload),
      deleted: message.deleted,
    }
    this.journal.push(stored)
    return stored
  }

  private erase(stored: ModelMessage): boolean {
    if (stored.deleted) return false
    const erased = { ...stored, headers: "[]", payload: "", deleted: true }
    this.journal = this.journal.map((message) => (message === stored ? erased : message))
    return true
  }
}
