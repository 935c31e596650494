/**
 * Examines the store in a SQLite file, whether a node runs on it or not, without changing a byte of it.
 */
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Stream from "effect/Stream"
import { StoreUnusable } from "../../domain/errors.ts"
import { type ExaminationEvent, type Finding, remedies } from "../Examination.ts"
import { examine as examineStore } from "../sql/examination/examine.ts"
import { sqliteDialect } from "../sql/dialects/SqliteDialect.ts"
import { foreignLogSentence, hasForeignLog, hasLog, incompleteSentence, isOpen } from "./Completeness.ts"
import * as SqliteClient from "./SqliteClient.ts"
import { urlUnchanged } from "./unchanged.ts"

/** What every SQLite database begins with. */
const magic = "SQLite format 3\0"

const beginning = (path: string): string => {
  const file = openSync(path, "r")
  try {
    const bytes = Buffer.alloc(magic.length)
    return bytes.toString("latin1", 0, readSync(file, bytes, 0, magic.length, 0))
  } finally {
    closeSync(file)
  }
}

const notAvailable = (path: string, error: unknown): StoreUnusable =>
  new StoreUnusable({
    reason: "not available",
    message: `${path} cannot be examined: ${error instanceof Error ? error.message : String(error)}`,
  })

const noDatabase = (path: string): ReadonlyArray<ExaminationEvent> => {
  const bytes = statSync(path).size
  const message = bytes === 0 ? `${path} is empty` : `${path} is not a SQLite database`
  const kind = "not a database"
  const finding: Finding = { kind, message, remedy: remedies[kind] }
  const summary = { logs: 0, messages: 0, queues: 0, items: 0, bytes, findings: 1 }
  return [
    { _tag: "Found", finding },
    { _tag: "Examined", summary },
  ]
}

/** Looks at the store of a file. Fails where there is no such file, or where it cannot be read. */
export const examine = (path: string): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const real = yield* Effect.try({
        try: () => {
          const real = realpathSync(path)
          return beginning(real) === magic ? { path: real } : { events: noDatabase(path) }
        },
        catch: (error) => notAvailable(path, error),
      })
      if (real.path === undefined) return Stream.fromIterable(real.events)
      const hadLog = hasLog(real.path)
      const isForeign = hasForeignLog(real.path)
      const client = yield* SqliteClient.make({ filename: yield* urlUnchanged(real.path), readonly: true }).pipe(
        Effect.provide(Reactivity.layer),
        Effect.mapError((error) => notAvailable(path, error)),
      )
      return examineStore(client, sqliteDialect, (session, report) =>
        Effect.map(isOpen(session), (isOpen) => {
          if (isOpen && !hadLog) report.add("incomplete", incompleteSentence(path))
          if (isForeign) report.add("foreign log", foreignLogSentence(path))
        }),
      )
    }),
  )
