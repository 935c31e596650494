/**
 * The records of the node's parts: what is in them only their owners know, but that it is JSON.
 */
import * as Effect from "effect/Effect"
import type { Report } from "./Report.ts"
import type { ReadFailure, Source } from "./Source.ts"

const isJson = (value: unknown): boolean => {
  try {
    return typeof value === "string" && JSON.parse(value) !== undefined
  } catch {
    return false
  }
}

export const examineRecords = (source: Source, report: Report): Effect.Effect<void, ReadFailure> =>
  Effect.map(source.records, (rows) => {
    for (const [key, value] of rows) {
      if (typeof key === "string" && isJson(value)) continue
      const name = typeof key === "string" ? `the record ${JSON.stringify(key)}` : "a record"
      report.add("record", `${name} cannot be read`, { row: `${source.prefix}records ${String(key ?? "")}`.trimEnd() })
    }
  })
