/**
 * `npm run soak -- slow-subscriber [--messages N] [--pairs N]`: what a subscriber that stops reading costs the others.
 *
 * Throughput is compared in pairs of runs, one with it and one without, each in a process and a store of its own; the
 * ratio is the median of the pairs. Memory is measured in one more run, whose heap is small (see `smallHeap`).
 */
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { pathTo, run as runProgram } from "../crash/Program.ts"
import { smallHeap } from "../faults/smallHeap.ts"
import type { SlowSubscriberReport } from "../faults/slowSubscriber.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { showProgress } from "./progress.ts"

const ratioMin = 0.8
const grownMiBMax = 64
const bytesPerMiB = 1024 * 1024
const allTopics = 50

const app = pathTo(import.meta.url, "../faults/slowSubscriberApp.ts")

const measure = (
  messages: number,
  mode: "with" | "without",
  topicsChecked: number,
  nodeFlags: ReadonlyArray<string>,
): Promise<SlowSubscriberReport> =>
  Effect.gen(function* () {
    const path = join(yield* temporaryDirectory, "bus.sqlite")
    const { code, signal, stdout, stderr } = yield* runProgram([app, path, `${messages}`, mode, `${topicsChecked}`], {
      nodeFlags,
    })
    if (code !== 0) return yield* Effect.die(new Error(`a run ended with ${code ?? signal}: ${stderr}`))
    const report: SlowSubscriberReport = JSON.parse(stdout.toString("utf8"))
    return report
  }).pipe(Effect.scoped, Effect.runPromise)

const medianOf = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const isComplete = ({ received, verdict }: SlowSubscriberReport): boolean =>
  verdict.startsWith("0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck") &&
  !verdict.includes("\n") &&
  Object.values(received).every(({ jumps }) => jumps === 0)

/** Gives whether everything was as it should be. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: { messages: { type: "string", default: "1000000" }, pairs: { type: "string", default: "5" } },
  })
  const messages = Number(values.messages)
  const pairs = Number(values.pairs)
  if (!Number.isSafeInteger(messages) || messages < 100_000 || messages % 1000 > 0) {
    throw new Error("--messages takes a multiple of 1,000 from 100,000 on")
  }
  if (!Number.isSafeInteger(pairs) || pairs < 1) throw new Error("--pairs takes a whole number from 1 on")

  const ratios: Array<number> = []
  const speeds: Array<number> = []
  let complete = true
  for (let pair = 1; pair <= pairs; pair++) {
    showProgress(`pair ${pair} of ${pairs}`)
    const withIt = await measure(messages, "with", 1, ["--expose-gc"])
    const withoutIt = await measure(messages, "without", 1, ["--expose-gc"])
    ratios.push(withIt.messagesPerSecond / withoutIt.messagesPerSecond)
    speeds.push(withoutIt.messagesPerSecond)
    complete &&= isComplete(withIt) && isComplete(withoutIt)
  }
  showProgress("memory")
  const { before, peakRss, whileStopped, ...report } = await measure(messages, "with", allTopics, smallHeap)
  showProgress("")
  complete &&= isComplete({ before, peakRss, whileStopped, ...report })

  const ratio = medianOf(ratios)
  const rssMiB = (peakRss - before.rss) / bytesPerMiB
  const heldMiB = (whileStopped.held - before.held) / bytesPerMiB
  console.log(
    [
      `${messages.toLocaleString("en")} messages of 100 bytes`,
      `throughput of the others ${ratio.toFixed(2)} of ${Math.round(medianOf(speeds)).toLocaleString("en")}/s without it (${ratios.map((value) => value.toFixed(2)).join(" ")})`,
      `memory +${rssMiB.toFixed(1)} MiB from the system, +${heldMiB.toFixed(1)} MiB held`,
      complete ? "everybody got everything" : `not everybody got everything: ${report.verdict}`,
    ].join("; "),
  )
  return complete && ratio >= ratioMin && rssMiB < grownMiBMax && heldMiB < grownMiBMax
}
