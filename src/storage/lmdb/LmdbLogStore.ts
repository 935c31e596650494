/**
 * The store of logs in an environment. It keeps the logs, their heads and the journal's end in memory, as of its last
 * commit; a store that only reads beside it asks the tables.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { payload as markerPayload } from "../../domain/DeleteMarker.ts"
import { type OffsetConflict, type OffsetGap, StorageFailed, StorageFull } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import { type Message, noHeaders } from "../../domain/Message.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import { planAccept } from "../parts/AcceptPlan.ts"
import { planAppend } from "../parts/AppendPlan.ts"
import type { Identity } from "../parts/Identity.ts"
import { JournalBlocks, type JournalState } from "../parts/JournalBlocks.ts"
import { LogPlaces } from "../parts/LogPlaces.ts"
import { sortHeads } from "../parts/LogSelection.ts"
import { LogSelector } from "../parts/LogSelector.ts"
import type {
  AcceptedRun,
  EncodedBlock,
  AcceptResult,
  AppendResult,
  BlockPlace,
  DiscardResult,
  Draft,
  DraftBlock,
  Durability,
  KeyWindow,
  LogStore,
  ReplicatedMessage,
  TombstoneRequest,
  TombstoneResult,
} from "../LogStore.ts"
import { contains } from "../parts/OffsetRanges.ts"
import { messagesIn, offsetsBeyond, replicasFrom, runOf } from "../parts/ReplicaBlocks.ts"
import type { Commits, Refused, Written } from "./Commits.ts"
import * as Deleted from "./Deleted.ts"
import type { Tables } from "./Environment.ts"
import { catchUp, cut, erase, locator, offsetLocator, readEnd, writeJournal } from "./Journal.ts"
import * as Keys from "./Keys.ts"
import { readLog as readLogRow, short } from "./Layout.ts"
import { readBlocks, readJournal, readLog } from "./Reads.ts"
import type { Space } from "./Space.ts"

export interface LogStoreOptions {
  readonly tables: Tables
  readonly commits: Commits
  readonly identity: Identity
  readonly durability: Durability
  readonly keyWindow: KeyWindow
  readonly journal: JournalState
  readonly readonly: boolean
  readonly space: Space | undefined
}

export const make = (options: LogStoreOptions): LogStore["Service"] => {
  const { commits, durability, identity, journal, readonly, space, tables } = options
  const { logs } = journal
  const writer = new LogWriter(options)
  const reading = { tables, logs, selector: new LogSelector(logs), places: new LogPlaces(), catchesUp: readonly }
  const find = (log: LogId): number => {
    if (readonly) catchUp(tables, logs)
    const row = logs.find(log)
    if (row === undefined || !readonly) return row?.head ?? 0
    const value = tables.logs.get(short(row.number))
    return value === undefined ? 0 : readLogRow(short(row.number), value).head
  }
  return {
    info: { node: identity.node, incarnation: identity.incarnation, durability, backend: "lmdb" },
    append: (requests) =>
      commits.write({
        operation: "append",
        purpose: "adds",
        bytes: draftsBytes(requests),
        body: () => writer.append(requests),
      }),
    appendBlocks: (blocks) =>
      commits.write({
        operation: "append",
        purpose: "adds",
        bytes: blocks.reduce((sum, { content }) => sum + content.byteLength, 0),
        body: () => writer.appendBlocks(blocks),
      }),
    accept: (log, messages) =>
      commits.write<AcceptResult, OffsetConflict | OffsetGap>({
        operation: "accept",
        purpose: "adds",
        bytes: messages.reduce((sum, { payload }) => sum + payload.byteLength, 0),
        body: () => writer.accept(log, messages),
      }),
    acceptBlocks: (log, from, blocks) =>
      commits.write<AcceptedRun, OffsetConflict | OffsetGap>({
        operation: "accept",
        purpose: "adds",
        bytes: blocks.reduce((sum, { content }) => sum + content.byteLength, 0),
        body: () => writer.acceptBlocks(log, from, blocks),
      }),
    tombstone: (request) =>
      commits.write({
        operation: "tombstone",
        purpose: "takes away",
        bytes: 0,
        body: () => writer.tombstone(request),
      }),
    discard: (log, from) =>
      commits.write({
        operation: "discard",
        purpose: "takes away",
        bytes: 0,
        body: () => writer.discard(log, from),
      }),
    readLog: (log, from, limit) => commits.read("readLog", () => readLog(reading, log, from, limit)),
    readBlocks: (log, from, limit) => commits.read("readLog", () => readBlocks(reading, log, from, limit)),
    readJournal: (after, filter, limit) =>
      commits.read("readJournal", () => readJournal(reading, after, filter, limit)),
    head: (log) =>
      commits.read("head", () => {
        const head = find(log)
        return head === 0 ? Option.none() : Option.some(head)
      }),
    heads: commits.read("heads", () =>
      sortHeads(
        Array.from(tables.logs.rows(short(1)), ({ key, value }) => {
          const { head, log } = readLogRow(key, value)
          return { ...log, offset: head }
        }),
      ),
    ),
    end: commits.read("end", () => readEnd(tables)),
    stopped: commits.stopped,
    check: Effect.suspend((): Effect.Effect<void, StorageFailed | StorageFull> => {
      if (readonly) return Effect.asVoid(commits.read("check", () => readEnd(tables)))
      const refusal = commits.refusal()
      if (refusal !== undefined) return Effect.fail(new StorageFailed({ operation: "check", message: refusal }))
      const full = space?.refusal(1)
      if (full !== undefined) return Effect.fail(new StorageFull({ operation: "check", message: full }))
      return Effect.asVoid(commits.read("check", () => readEnd(tables)))
    }),
  }
}

const draftsBytes = (requests: ReadonlyArray<ReadonlyArray<Draft>>): number => {
  let sum = 0
  for (const request of requests) for (const { payload } of request) sum += payload.byteLength
  return sum
}

/** The bodies of transactions. */
class LogWriter {
  private readonly options: LogStoreOptions
  /** How many keys are remembered. */
  private keys: number

  constructor(options: LogStoreOptions) {
    this.options = options
    this.keys = options.tables.keys.count
  }

  append(requests: ReadonlyArray<ReadonlyArray<Draft>>): Written<AppendResult> {
    const { identity, journal, keyWindow, tables } = this.options
    const origin = identity.node
    const locate = locator(tables)
    const plan = planAppend(requests, {
      end: journal.end,
      head: (topic) => journal.logs.find({ topic, origin })?.head ?? 0,
      keyed: (topic, key) => {
        const log = this.keys === 0 ? undefined : journal.logs.find({ topic, origin })
        return log === undefined ? undefined : Keys.find(tables, log.number, key, locate)
      },
      keyWindow,
    })
    const write = new JournalBlocks(journal)
    const { drafts, logs } = plan
    for (let i = 0; i < drafts.length;) {
      const planned = logs[i]!
      const log = write.log({ topic: planned.topic, origin })
      for (; i < drafts.length && logs[i] === planned; i++) write.add(log, drafts[i]!)
    }
    writeJournal(tables, write)
    const numberOf = (topic: string) => write.log({ topic, origin }).row.number
    const keys = Keys.remember(tables, plan, numberOf, this.keys, keyWindow.count)
    return {
      value: plan.result,
      committed: () => {
        write.committed()
        this.keys = keys
      },
    }
  }

  appendBlocks(blocks: ReadonlyArray<DraftBlock>): Written<ReadonlyArray<BlockPlace>> {
    const { identity, journal, tables } = this.options
    const write = new JournalBlocks(journal)
    const value = blocks.map(({ content, messages, topic }) =>
      write.addBlock(write.log({ topic, origin: identity.node }), messages, content),
    )
    writeJournal(tables, write)
    return { value, committed: () => write.committed() }
  }

  accept(
    log: LogId,
    messages: ReadonlyArray<ReplicatedMessage>,
  ): Written<AcceptResult> | Refused<OffsetConflict | OffsetGap> {
    const { journal, tables } = this.options
    const row = journal.logs.find(log)
    const head = row?.head ?? 0
    const reach = { first: head + 1, last: head + Math.max(messages.length, 1) }
    const ranges = row === undefined ? [] : Deleted.between(tables, row.number, reach)
    const plan = planAccept(messages, {
      log,
      head,
      stored: row === undefined ? () => undefined : offsetLocator(tables, row.number),
      tombstoned: (offset) => contains(ranges, offset),
    })
    if ("_tag" in plan) return { refused: plan }
    const write = new JournalBlocks(journal)
    const accepted: Array<Message> = []
    if (plan.fresh.length > 0) {
      const touched = write.log(log)
      for (const message of plan.fresh) {
        write.add(touched, message)
        accepted.push(write.last())
      }
    }
    if (row !== undefined) {
      erase(
        tables,
        row.number,
        plan.deletes.map((offset) => ({ first: offset, last: offset })),
      )
    }
    writeJournal(tables, write)
    return { value: { accepted, head: head + accepted.length }, committed: () => write.committed() }
  }

  acceptBlocks(
    log: LogId,
    from: number,
    blocks: ReadonlyArray<EncodedBlock>,
  ): Written<AcceptedRun> | Refused<OffsetConflict | OffsetGap> {
    const { journal, tables } = this.options
    const row = journal.logs.find(log)
    const beyond = offsetsBeyond(row?.head ?? 0, from, blocks)
    const ranges = row === undefined || beyond === undefined ? [] : Deleted.between(tables, row.number, beyond)
    if (beyond === undefined || ranges.length > 0) {
      const result = this.accept(log, replicasFrom(from, blocks))
      return "refused" in result ? result : { ...result, value: runOf(result.value) }
    }
    const write = new JournalBlocks(journal)
    const touched = write.log(log)
    const places = blocks.map(({ content, messages }) => write.addBlock(touched, messages, content))
    writeJournal(tables, write)
    return {
      value: { head: beyond.last, count: messagesIn(blocks), position: places[0]!.position, deleted: [] },
      committed: () => write.committed(),
    }
  }

  tombstone({ from, log, marker, to }: TombstoneRequest): Written<TombstoneResult> {
    const { identity, journal, tables } = this.options
    const head = journal.logs.find(log)?.head ?? 0
    const first = Math.max(from, 1)
    const last = marker === undefined ? to : Math.min(to, head)
    if (last < first) return { value: { deleted: 0, marker: undefined }, committed: () => undefined }
    const write = new JournalBlocks(journal)
    const { number } = write.log(log).row
    Deleted.add(tables, number, { first, last })
    const deleted = erase(tables, number, [{ first, last: Math.min(last, head) }])
    let appended: TombstoneResult["marker"]
    if (deleted > 0 && marker !== undefined) {
      const markers = write.log({ topic: deleteMarkers, origin: identity.node })
      const { createdAt, id } = marker
      const payload = markerPayload({ log, from: first, to: last, createdAt })
      write.add(markers, { id, createdAt, headers: noHeaders, payload })
      appended = write.last()
    }
    writeJournal(tables, write)
    return { value: { deleted, marker: appended }, committed: () => write.committed() }
  }

  discard(log: LogId, from: number): Written<DiscardResult> {
    const { journal, tables } = this.options
    const row = journal.logs.find(log)
    const head = row?.head ?? 0
    const first = Math.max(from, 1)
    if (row === undefined || first > head) return { value: { head, discarded: 0 }, committed: () => undefined }
    const end = journal.end + 1
    const forgotten = Keys.forget(tables, row.number, cut(tables, row, first, end))
    return {
      value: { head: first - 1, discarded: head - first + 1 },
      committed: () => {
        row.head = first - 1
        journal.end = end
        this.keys -= forgotten
      },
    }
  }
}
