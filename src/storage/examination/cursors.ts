/**
 * The named cursors: each is at a place that the journal has, for messages that there can be.
 */
import * as Effect from "effect/Effect"
import * as NodeId from "../../domain/NodeId.ts"
import * as TopicFilter from "../../domain/TopicFilter.ts"
import type { Report } from "./Report.ts"
import { isCount } from "./runs.ts"
import type { ReadFailure, Source } from "./Source.ts"

/** @param end the journal's end */
export const examineCursors = (source: Source, report: Report, end: number): Effect.Effect<void, ReadFailure> =>
  Effect.gen(function* () {
    const lastEpoch = yield* source.lastEpoch
    for (const [text, topics, tenant, line, device, position, epoch] of yield* source.cursors) {
      const name = `the cursor ${JSON.stringify(text)}`
      const row = `${source.prefix}cursors ${String(text)}`
      if (!isCount(position, 0) || position > end) {
        report.add("cursor", `${name} is at position ${String(position)}, and the journal ends at ${end}`, { row })
      }
      if (!isCount(epoch, 0) || !isCount(lastEpoch, epoch)) {
        const last = String(lastEpoch)
        report.add("cursor", `${name} has epoch ${String(epoch)}, and the last one that was given is ${last}`, { row })
      }
      const parts = [tenant, line, device]
      const wrong =
        TopicFilter.problem(String(topics)) ??
        (parts.every((part) => part === null)
          ? undefined
          : NodeId.problem({ tenant: String(tenant ?? ""), line: String(line ?? ""), device: String(device ?? "") }))
      if (wrong !== undefined) report.add("cursor", `${name} is for messages that cannot be: ${wrong}`, { row })
    }
  })
