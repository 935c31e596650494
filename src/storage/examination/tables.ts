/**
 * The tables around the journal: logs, deleted ranges, keys.
 */
import * as Effect from "effect/Effect"
import { format, key as logKey, type LogId } from "../../domain/LogId.ts"
import * as NodeId from "../../domain/NodeId.ts"
import * as Topic from "../../domain/Topic.ts"
import type { OffsetRange } from "../parts/OffsetRanges.ts"
import { type CheckedLog, rangeText } from "./LogCheck.ts"
import type { Report } from "./Report.ts"
import type { ReadFailure, Source } from "./Source.ts"

export const examineLogs = (source: Source, report: Report): Effect.Effect<ReadonlyArray<CheckedLog>, ReadFailure> =>
  Effect.map(source.logs, (rows) =>
    rows.map(([number, topic, tenant, line, device, head]) => {
      const origin = { tenant: String(tenant), line: String(line), device: String(device) }
      const log: LogId = { topic: String(topic), origin }
      const wrong = Topic.problem(log.topic) ?? NodeId.problem(origin)
      if (wrong !== undefined)
        report.add("log", `log ${String(number)} has a name that none can have: ${wrong}`, {
          row: `${source.prefix}logs ${String(number)}`,
        })
      if (typeof head !== "number" || head < 0) report.add("head", `the log ${format(log)} has no head`, { log })
      return { number: Number(number), log, head: Number(head) }
    }),
  )

/** The nodes whose store it is, and whose logs are written here; none where that cannot be read. */
export type Owners = ReadonlyArray<NodeId.NodeId>

export const isOwn = (owners: Owners, { origin }: LogId): boolean => owners.some((node) => NodeId.equals(node, origin))

/** Gives the deleted ranges by their log's key. They may be ahead of the messages, which are still to come, or to come again. */
export const examineTombstones = (
  source: Source,
  report: Report,
  logs: ReadonlyArray<CheckedLog>,
): Effect.Effect<ReadonlyMap<string, ReadonlyArray<OffsetRange>>, ReadFailure> =>
  Effect.map(source.deletedRanges, (rows) => {
    const byNumber = new Map(logs.map((log) => [log.number, log]))
    const found = new Map<string, Array<OffsetRange>>()
    for (const [number, first, last] of rows as ReadonlyArray<readonly [number, number, number]>) {
      const row = `${source.prefix}tombstones ${number} ${first}`
      const checked = byNumber.get(number)
      const offsets = { first, last }
      if (checked === undefined) {
        report.add(
          "tombstone",
          `${rangeText(offsets)} are deleted of log ${number}, which is not in the table of logs`,
          { row },
        )
        continue
      }
      const { log } = checked
      const ranges = found.get(logKey(log)) ?? []
      found.set(logKey(log), ranges)
      const name = `the deleted range ${first} to ${last} of the log ${format(log)}`
      const place = { log, offsets, row }
      if (first < 1 || last < first) report.add("tombstone", `${name} is none`, place)
      else if (first <= (ranges.at(-1)?.last ?? -1) + 1)
        report.add("tombstone", `${name} touches the one before it`, place)
      ranges.push(offsets)
    }
    return found
  })

export const examineKeys = (
  source: Source,
  report: Report,
  owners: Owners,
  logs: ReadonlyArray<CheckedLog>,
): Effect.Effect<void, ReadFailure> =>
  Effect.gen(function* () {
    for (const [position, log, name] of yield* source.lostKeys) {
      report.add(
        "key",
        `the key ${JSON.stringify(name)} points at position ${String(position)}, where log ${String(log)} has no message`,
        {
          position: position as number,
          row: `${source.prefix}keys ${String(position)}`,
        },
      )
    }
    for (const [number] of yield* source.keyedLogs) {
      const log = logs.find((checked) => checked.number === number)?.log
      if (log === undefined || owners.length === 0 || isOwn(owners, log)) continue
      report.add(
        "identity",
        `the store says that it belongs to ${owners.map(NodeId.format).join(", ")}, and has keys of what ${NodeId.format(log.origin)} published`,
        { log },
      )
    }
  })
