/**
 * Examines a store: what it says of itself, the database under it, then all that is in it. It only reads, in one
 * transaction, so that a store in use is seen as it was at one moment.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { NodeId } from "../../../domain/NodeId.ts"
import type { ExaminationEvent, ExaminationSummary } from "../../Examination.ts"
import type { Dialect } from "../Dialect.ts"
import { decodeNode, metaTable } from "../Format.ts"
import { type Session, withSession } from "../Session.ts"
import { examineCursors } from "./cursors.ts"
import { examineJournal } from "./journal.ts"
import { LogCheck } from "./LogCheck.ts"
import { examineQueues } from "./queues.ts"
import { Report } from "./Report.ts"
import { examineKeys, examineLogs, examineTombstones } from "./tables.ts"

type Emit = (event: ExaminationEvent) => Effect.Effect<unknown>

/**
 * What is wrong with the store that the client speaks to. Ends with `Examined`.
 *
 * @param also what else there is to look at, before the rest
 */
export const examine = (
  client: SqlClient,
  dialect: Dialect,
  also: (session: Session, report: Report) => Effect.Effect<void, SqlError> = () => Effect.void,
): Stream.Stream<ExaminationEvent> =>
  Stream.callback<ExaminationEvent>(
    (queue) =>
      withSession(client, dialect, (session) =>
        Effect.ensuring(
          Effect.andThen(
            Effect.ignore(session.run("BEGIN", [])),
            examineSession(session, dialect, (event) => Queue.offer(queue, event), also),
          ),
          Effect.ignore(session.run("ROLLBACK", [])),
        ),
      ).pipe(Effect.orDie, Effect.andThen(Queue.end(queue))),
    { bufferSize: 64 },
  )

interface About {
  readonly node?: NodeId
  readonly incarnation?: string
  readonly format?: number
}

const examineSession = (
  session: Session,
  dialect: Dialect,
  emit: Emit,
  also: (session: Session, report: Report) => Effect.Effect<void, SqlError>,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const found: Array<ExaminationEvent> = []
    const report = new Report((finding) => found.push({ _tag: "Found", finding }))
    const flush = Effect.suspend(() => Effect.forEach(found.splice(0), emit, { discard: true }))
    /** What cannot be read at all is a finding, and the rest goes on without it. */
    const attempt = <A>(table: string, effect: Effect.Effect<A, SqlError>): Effect.Effect<A | undefined> =>
      Effect.catch(effect, (error) =>
        Effect.sync(() => {
          report.add("unreadable", `the table ${table} cannot be read: ${error.message}`, { row: table })
          return undefined
        }),
      )

    const meta = yield* attempt("millrace_meta", examineMeta(session, dialect, report))
    const about: About = meta ?? {}
    const summary = (more: Partial<ExaminationSummary>): Effect.Effect<unknown> =>
      emit({
        _tag: "Examined",
        summary: { ...about, logs: 0, messages: 0, queues: 0, items: 0, bytes: 0, ...more, findings: report.count },
      })
    if (meta !== undefined) yield* attempt("millrace_meta", also(session, report))
    // Where not even this can be read, the integrity check says so.
    const bytes = yield* Effect.orElseSucceed(dialect.sizeBytes(session), () => 0)
    const integrity = (yield* attempt("of tables", dialect.integrity(session))) ?? []
    for (const line of integrity) report.add("damaged database", `the database's own check says: ${line}`)
    yield* flush
    // The tables of a newer format may be any.
    if (about.format === undefined || about.format > dialect.migrations.length) {
      yield* flush
      yield* summary({ bytes })
      return
    }
    const [[end] = []] =
      (yield* attempt("millrace_journal", session.values("SELECT last_position FROM millrace_journal", []))) ?? []
    const total = typeof end === "number" ? end : 0
    yield* emit({ _tag: "Progress", done: 0, total })
    const logs = yield* attempt("millrace_logs", examineLogs(session, report))
    const check = new LogCheck(report, logs ?? [])
    if (logs !== undefined) {
      const { node } = about
      const ranges =
        (yield* attempt("millrace_tombstones", examineTombstones(session, report, node, logs))) ?? new Map()
      const isComplete = yield* examineJournal(session, report, check, { ranges, node }, (messages) =>
        Effect.andThen(flush, Effect.andThen(emit({ _tag: "Progress", done: messages, total }), Effect.yieldNow)),
      )
      if (isComplete) check.finish(typeof end === "number" ? end : undefined)
      yield* attempt("millrace_keys", examineKeys(session, report, node, logs))
    }
    yield* flush
    const queues = yield* attempt("millrace_queues", examineQueues(session, report))
    yield* attempt("millrace_cursors", examineCursors(session, report, total))
    yield* flush
    yield* summary({ ...queues, logs: logs?.length ?? 0, messages: check.messages, bytes })
  })

const examineMeta = (session: Session, dialect: Dialect, report: Report): Effect.Effect<About | undefined, SqlError> =>
  Effect.gen(function* () {
    const tables = yield* session.values(dialect.selectTables, [])
    if (!tables.some(([name]) => name === "millrace_meta")) {
      report.add(
        "not a database",
        tables.length === 0 ? "the database is empty" : "the database belongs to another application",
      )
      return undefined
    }
    for (const [name, sql] of tables) {
      // What SQLite makes by itself has no statement.
      if (!String(name).startsWith("millrace_") || typeof sql !== "string") continue
      if (sql !== metaTable && !dialect.migrations.some((statements) => statements.includes(sql))) {
        report.add("damaged database", `the definition of ${String(name)} is not as it was written`, {
          row: String(name),
        })
      }
    }
    const rows = yield* session.values("SELECT name, value FROM millrace_meta", [])
    const meta = new Map(rows.map(([name, value]) => [String(name), String(value)]))
    const row = "millrace_meta"
    const format = Number(meta.get("format"))
    const current = dialect.migrations.length
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
    const text = meta.get("node")
    const node = text === undefined ? undefined : Option.getOrUndefined(decodeNode(text))
    if (node === undefined)
      report.add(
        "identity",
        text === undefined ? "the store does not say whose it is" : `whose it is cannot be read: ${text}`,
        { row },
      )
    const incarnation = meta.get("incarnation")
    if (incarnation === undefined) report.add("identity", "the store has no incarnation", { row })
    return {
      ...(node === undefined ? {} : { node }),
      ...(incarnation === undefined ? {} : { incarnation }),
      // An older format is brought up to date when it is opened: until then its tables may lack something.
      ...(format === current ? { format } : {}),
    }
  })
