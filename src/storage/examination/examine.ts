/**
 * Examines a store: what it says of itself, the database under it, then all that is in it. It only reads; that a store in
 * use is seen as it was at one moment is its source's concern.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { NodeId } from "../../domain/NodeId.ts"
import type { ExaminationEvent, ExaminationSummary } from "../Examination.ts"
import { decodeNode } from "../parts/Identity.ts"
import { examineCursors } from "./cursors.ts"
import { examineJournal } from "./journal.ts"
import { LogCheck } from "./LogCheck.ts"
import { examineQueues } from "./queues.ts"
import { examineRecords } from "./records.ts"
import { Report } from "./Report.ts"
import type { ReadFailure, Row, Source } from "./Source.ts"
import { examineKeys, examineLogs, examineTombstones, type Owners } from "./tables.ts"

type Emit = (event: ExaminationEvent) => Effect.Effect<unknown>

interface About {
  readonly node?: NodeId
  readonly incarnation?: string
  readonly format?: number
}

/** What a store tells of itself. */
interface Told {
  readonly about: About
  readonly owners: Owners
}

/**
 * What is wrong with a store. The last that is emitted is `Examined`.
 *
 * @param also what else there is to look at, before the rest
 */
export const examine = (
  source: Source,
  emit: Emit,
  also: (report: Report) => Effect.Effect<void, ReadFailure> = () => Effect.void,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const found: Array<ExaminationEvent> = []
    const report = new Report((finding) => found.push({ _tag: "Found", finding }))
    const flush = Effect.suspend(() => Effect.forEach(found.splice(0), emit, { discard: true }))
    /** What cannot be read at all is a finding, and the rest goes on without it. */
    const attempt = <A>(table: string, effect: Effect.Effect<A, ReadFailure>): Effect.Effect<A | undefined> =>
      Effect.catch(effect, (error) =>
        Effect.sync(() => {
          report.add("unreadable", `the table ${source.prefix}${table} cannot be read: ${error.message}`, {
            row: `${source.prefix}${table}`,
          })
          return undefined
        }),
      )

    const meta = yield* attempt("meta", examineMeta(source, report))
    const about: About = meta?.about ?? {}
    const summary = (more: Partial<ExaminationSummary>): Effect.Effect<unknown> =>
      emit({
        _tag: "Examined",
        summary: { ...about, logs: 0, messages: 0, queues: 0, items: 0, bytes: 0, ...more, findings: report.count },
      })
    if (meta !== undefined) yield* attempt("meta", also(report))
    // Where not even this can be read, the integrity check says so.
    const bytes = yield* Effect.orElseSucceed(source.sizeBytes, () => 0)
    const integrity = (yield* attempt("of tables", source.integrity)) ?? []
    for (const line of integrity) report.add("damaged database", `the database's own check says: ${line}`)
    yield* flush
    // The tables of a newer format may be any.
    if (about.format === undefined || about.format > source.currentFormat) {
      yield* flush
      yield* summary({ bytes })
      return
    }
    const end = yield* attempt("journal", source.end)
    const total = typeof end === "number" ? end : 0
    yield* emit({ _tag: "Progress", done: 0, total })
    const logs = yield* attempt("logs", examineLogs(source, report))
    const check = new LogCheck(report, logs ?? [])
    if (logs !== undefined) {
      const { owners = [] } = meta ?? {}
      const ranges = (yield* attempt("tombstones", examineTombstones(source, report, logs))) ?? new Map()
      const isComplete = yield* examineJournal(source, report, check, { ranges, owners }, (messages) =>
        Effect.andThen(flush, Effect.andThen(emit({ _tag: "Progress", done: messages, total }), Effect.yieldNow)),
      )
      const lastDiscarded = yield* attempt("journal", source.lastDiscarded)
      if (isComplete) {
        check.finish(typeof end === "number" ? end : undefined, typeof lastDiscarded === "number" ? lastDiscarded : 0)
      }
      yield* attempt("keys", examineKeys(source, report, owners, logs))
    }
    yield* flush
    const queues = yield* attempt("queues", examineQueues(source, report))
    yield* attempt("cursors", examineCursors(source, report, total))
    yield* attempt("records", examineRecords(source, report))
    yield* flush
    yield* summary({ ...queues, logs: logs?.length ?? 0, messages: check.messages, bytes })
  })

const examineMeta = (source: Source, report: Report): Effect.Effect<Told | undefined, ReadFailure> =>
  Effect.gen(function* () {
    const { altered, isEmpty, isStore } = yield* source.definition
    if (!isStore) {
      report.add("not a database", isEmpty ? "the database is empty" : "the database belongs to another application")
      return undefined
    }
    for (const name of altered) {
      report.add("damaged database", `the definition of ${name} is not as it was written`, { row: name })
    }
    const rows = yield* source.meta
    const meta = new Map(rows.map(([name, value]) => [String(name), String(value)]))
    const row = `${source.prefix}meta`
    const format = Number(meta.get("format"))
    const current = source.currentFormat
    if (!Number.isSafeInteger(format) || format < 1)
      report.add("identity", `the store's format is ${meta.get("format") ?? "not noted"}`, { row })
    else if (format > current)
      report.add(
        "newer format",
        `the store has format ${format}, and this version of millrace knows formats up to ${current}`,
        { row },
      )
    else if (format < current)
      report.add(
        "older format",
        `the store has format ${format}, and this version of millrace examines format ${current}`,
        { row },
      )
    const owners = source.nodes === undefined ? ownerIn(meta, report, row) : Array.from(yield* source.nodes, nodeOf)
    const incarnation = meta.get("incarnation")
    if (incarnation === undefined) report.add("identity", "the store has no incarnation", { row })
    const [node] = owners
    const about = {
      ...(node === undefined || owners.length > 1 ? {} : { node }),
      ...(incarnation === undefined ? {} : { incarnation }),
      // An older format is brought up to date when it is opened: until then its tables may lack something.
      ...(format === current ? { format } : {}),
    }
    return { about, owners }
  })

const ownerIn = (meta: ReadonlyMap<string, string>, report: Report, row: string): Owners => {
  const text = meta.get("node")
  const node = text === undefined ? undefined : Option.getOrUndefined(decodeNode(text))
  if (node !== undefined) return [node]
  const wrong = text === undefined ? "the store does not say whose it is" : `whose it is cannot be read: ${text}`
  report.add("identity", wrong, { row })
  return []
}

const nodeOf = ([tenant, line, device]: Row): NodeId => ({
  tenant: String(tenant),
  line: String(line),
  device: String(device),
})
