/**
 * A store of logs in memory: the reference that other backends are compared with, and the store for tests and for
 * topics that need not outlive the process.
 *
 * Every operation is one synchronous step, so each is atomic. Payloads are copied when they come in: a draft's bytes
 * may be a view of a buffer that its owner uses again.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { payload as markerPayload } from "../../domain/DeleteMarker.ts"
import { type LogHead, type LogId, key as logKey } from "../../domain/LogId.ts"
import { contentBytes, type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { key as nodeKey, type NodeId } from "../../domain/NodeId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import { planAccept } from "../parts/AcceptPlan.ts"
import { type KeyedMessage, planAppend } from "../parts/AppendPlan.ts"
import { contentDigest } from "../parts/Content.ts"
import type {
  AcceptResult,
  AppendResult,
  DiscardResult,
  Draft,
  JournalPage,
  KeyWindow,
  LogStore,
  PageLimit,
  ReplicatedMessage,
  TombstoneRequest,
  TombstoneResult,
} from "../LogStore.ts"
import { type JournalFilters, logMatcher, sortHeads } from "../parts/LogSelection.ts"
import { add, contains } from "../parts/OffsetRanges.ts"
import { type MemoryDisk, type MemoryLog, messageAt, openLog } from "./MemoryDisk.ts"

/** Messages that one page looks at, at most. */
const scanMax = 20_000

/** The store's operations on a disk that belongs to the node. */
export const make = (disk: MemoryDisk, node: NodeId, keyWindow: KeyWindow): LogStore["Service"] => ({
  info: {
    node,
    incarnation: disk.incarnation,
    durability: "memory",
    backend: "memory",
    isShared: disk.sharing !== undefined,
  },
  append: (requests) => Effect.sync(() => append(disk, node, keyWindow, requests)),
  accept: (log, messages) =>
    Effect.suspend(() => {
      const result = accept(disk, log, messages)
      return "accepted" in result ? Effect.succeed(result) : Effect.fail(result)
    }),
  tombstone: (request) => Effect.sync(() => tombstone(disk, node, request)),
  discard: (log, from) => Effect.sync(() => discard(disk, log, from)),
  readLog: (log, from, limit) => Effect.sync(() => readLog(disk, log, from, limit)),
  readJournal: (after, filter, limit) => Effect.sync(() => readJournal(disk, after, filter, limit)),
  head: (log) =>
    Effect.sync(() => {
      const head = disk.logs.get(logKey(log))?.positions.length ?? 0
      return head === 0 ? Option.none() : Option.some(head)
    }),
  heads: Effect.sync(() =>
    sortHeads([...disk.logs.values()].map(({ log, positions }) => headOf(log, positions.length))),
  ),
  end: Effect.sync(() => disk.journal.length),
  check: Effect.void,
})

const headOf = ({ topic, origin }: LogId, offset: number): LogHead => ({ topic, origin, offset })

const store = (disk: MemoryDisk, to: MemoryLog, message: Omit<ReplicatedMessage, "offset">): Message => {
  const stored: Message = {
    topic: to.log.topic,
    origin: to.log.origin,
    offset: to.positions.length + 1,
    position: disk.journal.length + 1,
    id: message.id,
    createdAt: message.createdAt,
    headers: message.headers,
    payload: message.deleted ? noPayload : new Uint8Array(message.payload),
    deleted: message.deleted,
  }
  disk.journal.push(stored)
  to.positions.push(stored.position)
  return stored
}

const nameOfKey = (topic: string, key: string): string => `${topic}\0${key}`

/** The keys that a node remembers, the oldest first: its own window, however many nodes there are. */
const keysOf = (disk: MemoryDisk, node: NodeId): Map<string, KeyedMessage> => {
  const name = nodeKey(node)
  let keys = disk.keys.get(name)
  if (keys === undefined) disk.keys.set(name, (keys = new Map()))
  return keys
}

const append = (
  disk: MemoryDisk,
  node: NodeId,
  keyWindow: KeyWindow,
  requests: ReadonlyArray<ReadonlyArray<Draft>>,
): AppendResult => {
  const keys = keysOf(disk, node)
  const plan = planAppend(requests, {
    end: disk.journal.length,
    head: (topic) => disk.logs.get(logKey({ topic, origin: node }))?.positions.length ?? 0,
    keyed: (topic, key) => {
      const entry = keys.get(nameOfKey(topic, key))
      const message = entry === undefined ? undefined : disk.journal[entry.position - 1]
      return entry === undefined || message === undefined ? undefined : { ...entry, deleted: message.deleted }
    },
    keyWindow,
  })
  for (const draft of plan.drafts) {
    store(disk, openLog(disk, { topic: draft.topic, origin: node }), { ...draft, deleted: false })
  }
  for (const { log, key, position, keyedAt } of plan.keys) {
    const message = disk.journal[position - 1]!
    const name = nameOfKey(log.topic, key)
    keys.delete(name)
    // A digest, and not the message: of a deleted message nothing else may be left.
    const content = contentDigest(message.headers, message.payload)
    const { createdAt, id, offset } = message
    keys.set(name, { offset, position, id, createdAt, keyedAt, deleted: false, content })
  }
  let excess = keys.size - keyWindow.count
  for (const name of keys.keys()) {
    if (excess-- <= 0) break
    keys.delete(name)
  }
  return plan.result
}

const accept = (disk: MemoryDisk, log: LogId, messages: ReadonlyArray<ReplicatedMessage>) => {
  const existing = disk.logs.get(logKey(log))
  const plan = planAccept(messages, {
    log,
    head: existing?.positions.length ?? 0,
    stored: (offset) => (existing === undefined ? undefined : messageAt(disk, existing, offset)),
    tombstoned: (offset) => contains(existing?.tombstones ?? [], offset),
  })
  if ("_tag" in plan) return plan
  if (existing !== undefined) for (const offset of plan.deletes) erase(disk, existing, offset)
  if (plan.fresh.length === 0) {
    return { accepted: [], head: existing?.positions.length ?? 0 } satisfies AcceptResult
  }
  const to = openLog(disk, log)
  const accepted = plan.fresh.map((message) => store(disk, to, message))
  return { accepted, head: to.positions.length } satisfies AcceptResult
}

/** Turns a stored message into a tombstone; false where it was one, or is not there. */
const erase = (disk: MemoryDisk, log: MemoryLog, offset: number): boolean => {
  const message = messageAt(disk, log, offset)
  if (message === undefined || message.deleted) return false
  disk.journal[message.position - 1] = { ...message, headers: noHeaders, payload: noPayload, deleted: true }
  return true
}

const tombstone = (disk: MemoryDisk, node: NodeId, { log, from, to, marker }: TombstoneRequest): TombstoneResult => {
  const head = disk.logs.get(logKey(log))?.positions.length ?? 0
  const last = marker === undefined ? to : Math.min(to, head)
  if (last < from) return { deleted: 0, marker: undefined }
  const target = openLog(disk, log)
  target.tombstones = add(target.tombstones, { first: from, last })
  let deleted = 0
  for (let offset = from; offset <= Math.min(last, head); offset++) {
    if (erase(disk, target, offset)) deleted += 1
  }
  if (deleted === 0 || marker === undefined) return { deleted, marker: undefined }
  const markers = openLog(disk, { topic: deleteMarkers, origin: node })
  const { id, createdAt } = marker
  const content = markerPayload({ log, from, to: last, createdAt })
  return {
    deleted,
    marker: store(disk, markers, { id, createdAt, headers: noHeaders, payload: content, deleted: false }),
  }
}

const discard = (disk: MemoryDisk, id: LogId, from: number): DiscardResult => {
  const log = disk.logs.get(logKey(id))
  const head = log?.positions.length ?? 0
  const first = Math.max(from, 1)
  if (log === undefined || first > head) return { head, discarded: 0 }
  const gone = new Set(log.positions.splice(first - 1))
  for (const position of gone) disk.journal[position - 1] = undefined
  disk.journal.push(undefined)
  const keys = keysOf(disk, id.origin)
  for (const [name, { position }] of keys) if (gone.has(position)) keys.delete(name)
  return { head: first - 1, discarded: gone.size }
}

const bytesOf = (message: Message): number => contentBytes("", message.payload, message.headers)

const readLog = (disk: MemoryDisk, id: LogId, from: number, limit: PageLimit): ReadonlyArray<Message> => {
  const page: Array<Message> = []
  const log = disk.logs.get(logKey(id))
  if (log === undefined) return page
  let bytes = 0
  for (let offset = Math.max(from, 1); page.length < Math.max(limit.rows, 1); offset++) {
    const message = messageAt(disk, log, offset)
    if (message === undefined) break
    bytes += bytesOf(message)
    if (bytes > limit.bytes && page.length > 0) break
    page.push(message)
  }
  return page
}

const readJournal = (disk: MemoryDisk, after: number, filters: JournalFilters, limit: PageLimit): JournalPage => {
  const end = disk.journal.length
  const messages: Array<Message> = []
  const matches = logMatcher(filters)
  const wanted = new Set<string>()
  for (const [key, { log }] of disk.logs) if (matches(log)) wanted.add(key)
  if (wanted.size === 0 || after >= end) return { messages, scannedTo: end, end }
  const stop = Math.min(end, after + scanMax)
  let bytes = 0
  for (let position = Math.max(after, 0) + 1; position <= stop; position++) {
    const message = disk.journal[position - 1]
    if (message === undefined || !wanted.has(logKey(message))) continue
    const size = bytesOf(message)
    const full = messages.length > 0 && (messages.length >= limit.rows || bytes + size > limit.bytes)
    if (full) return { messages, scannedTo: position - 1, end }
    bytes += size
    messages.push(message)
  }
  return { messages, scannedTo: stop, end }
}
