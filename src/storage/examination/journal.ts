/**
 * Reads all blocks in the order of the journal, and has each looked at. What cannot be read is noted and left out, as far
 * as the rest can be found without it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { checkContent, type Deletions } from "./contents.ts"
import type { BlockSpan, LogCheck } from "./LogCheck.ts"
import type { Report } from "./Report.ts"
import { isCount, runsOf } from "./runs.ts"
import type { Row, Rows, Source } from "./Source.ts"

interface Place {
  readonly span: BlockSpan
  readonly bytes: number
}

/** A row's place, or nothing where its numbers are none. */
const placeOf = ([lastPosition, logNumber, lastOffset, messages, bytes]: Row): Place | undefined => {
  if (!isCount(lastPosition, 1) || !isCount(logNumber, 1) || !isCount(lastOffset, 1) || !isCount(messages, 1)) return
  const firstPosition = lastPosition - messages + 1
  const firstOffset = lastOffset - messages + 1
  if (firstPosition < 1 || firstOffset < 1 || !isCount(bytes, 0)) return undefined
  return { span: { logNumber, firstPosition, lastPosition, firstOffset, lastOffset }, bytes }
}

/** Gives whether everything could be read: else nothing can be said of heads. */
export const examineJournal = (
  source: Source,
  report: Report,
  check: LogCheck,
  deletions: Deletions,
  progress: (messages: number) => Effect.Effect<void>,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    let after = 0
    while (true) {
      const page = yield* Effect.result(source.blocks(after))
      if (Result.isFailure(page)) {
        const message = `what follows position ${after} in the journal cannot be read: ${page.failure.message}`
        report.add("unreadable", message, { position: after, row: `${source.prefix}blocks ${after}` })
        return false
      }
      const rows = page.success
      if (rows.length === 0) return true
      const places: Array<Place> = []
      for (const row of rows) {
        const place = placeOf(row)
        if (place !== undefined) places.push(place)
        else
          report.add("unreadable", `a row of the journal has impossible numbers: ${row.join(", ")}`, {
            row: `${source.prefix}blocks ${row[0]}`,
          })
      }
      for (const { span } of places) check.add(span)
      for (const run of runsOf(places)) {
        yield* examineContents(source, report, check, deletions, run)
        yield* progress(check.messages)
      }
      const last = rows.at(-1)![0]
      if (!isCount(last, after + 1)) return false
      after = last
    }
  })

const readContents = (source: Source, run: ReadonlyArray<Place>): Rows =>
  source.blockContents(run[0]!.span.lastPosition, run.at(-1)!.span.lastPosition)

const examineContents = (
  source: Source,
  report: Report,
  check: LogCheck,
  deletions: Deletions,
  run: ReadonlyArray<Place>,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const rows = yield* Effect.result(readContents(source, run))
    const contents = Result.getOrUndefined(rows)
    if (contents?.length !== run.length) {
      if (run.length > 1) {
        for (const place of run) yield* examineContents(source, report, check, deletions, [place])
        return
      }
      const { lastPosition } = run[0]!.span
      const why = Result.isFailure(rows) ? rows.failure.message : "it is not where its row says"
      report.add("unreadable", `the block that ends at position ${lastPosition} cannot be read: ${why}`, {
        position: lastPosition,
        row: `${source.prefix}blocks ${lastPosition}`,
      })
      return
    }
    for (const [i, { span }] of run.entries()) {
      const log = check.log(span.logNumber)
      const content = contents[i]![0]
      if (log !== undefined && content instanceof Uint8Array) checkContent(report, deletions, log, span, content)
    }
  })
