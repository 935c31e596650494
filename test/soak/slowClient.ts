/**
 * `npm run soak -- slow-client [--messages N] [--pairs N]`: what a client of the live plane that stops reading costs 99
 * others, who all get the same publications over a Unix socket.
 *
 * Throughput is compared in pairs of runs, one with it and one without; the ratio is the median of the pairs.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { Qos } from "../../src/protocol/busrt/codec/qos.ts"
import { ClientFrameWriter } from "../../src/protocol/busrt/codec/clientFrames.ts"
import { RawClient } from "../protocol/busrt/RawClient.ts"
import { served } from "../protocol/busrt/served.ts"
import { showProgress } from "./progress.ts"

const ratioMin = 0.8
const others = 99
const payload = Buffer.alloc(100, "x")
/** What the sender writes at once. */
const batch = 100

interface Figures {
  readonly perSecond: number
  /** Clients that were disconnected because their buffer was full. */
  readonly overflows: number
  readonly complete: boolean
}

const measure = (messages: number, withIt: boolean): Promise<Figures> =>
  Effect.gen(function* () {
    const { core, endpoint } = yield* served()
    return yield* Effect.promise(async () => {
      const names = Array.from({ length: others }, (_, i) => `reader.${i}`)
      const readers = await Promise.all(names.map((name) => RawClient.connected(endpoint, name)))
      const stopped = withIt ? [await RawClient.connected(endpoint, "stopped")] : []
      const sender = await RawClient.connected(endpoint, "sender")
      for (const client of [...readers, ...stopped]) {
        await client.ask((to, opId) => to.topics("subscribe", opId, Qos.processed, ["news"]))
        client.keepsFrames = false
        client.frameCount = 0
      }
      for (const { socket } of stopped) socket.pause()
      const writer = new ClientFrameWriter()
      for (let i = 0; i < batch; i++) writer.publish(0, Qos.no, "news", payload)
      const frames = writer.finish()
      // Who only reads has to say now and then that it is there.
      const pinging = setInterval(() => {
        for (const client of readers) client.send((to) => to.ping())
      }, 1000)
      const began = performance.now()
      for (let sent = 0; sent < messages; sent += batch) {
        if (!sender.socket.write(frames)) await new Promise((done) => sender.socket.once("drain", done))
      }
      await Promise.all(readers.map((reader) => reader.until(() => reader.isClosed || reader.frameCount >= messages)))
      clearInterval(pinging)
      const perSecond = (messages * others * 1000) / (performance.now() - began)
      return {
        perSecond,
        overflows: core.overflows,
        complete: readers.every(({ frameCount }) => frameCount === messages),
      }
    })
  }).pipe(Effect.scoped, Effect.runPromise)

const medianOf = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Gives whether everything was as it should be. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: { messages: { type: "string", default: "100000" }, pairs: { type: "string", default: "5" } },
  })
  const messages = Number(values.messages)
  const pairs = Number(values.pairs)
  if (!Number.isSafeInteger(messages) || messages < 20_000 || messages % batch > 0) {
    throw new Error(`--messages takes a multiple of ${batch} from 20,000 on`)
  }
  if (!Number.isSafeInteger(pairs) || pairs < 1) throw new Error("--pairs takes a whole number from 1 on")
  showProgress("warming up")
  await measure(20_000, false)
  const ratios: Array<number> = []
  const speeds: Array<number> = []
  const faults: Array<string> = []
  for (let pair = 1; pair <= pairs; pair++) {
    showProgress(`pair ${pair} of ${pairs}`)
    const withIt = await measure(messages, true)
    const without = await measure(messages, false)
    ratios.push(withIt.perSecond / without.perSecond)
    speeds.push(without.perSecond)
    for (const [{ complete, overflows }, due] of [
      [withIt, 1],
      [without, 0],
    ] as const) {
      if (!complete) faults.push(`somebody did not get everything in pair ${pair}`)
      if (overflows !== due) faults.push(`${overflows} were disconnected in pair ${pair} instead of ${due}`)
    }
  }
  showProgress("")
  const asItShould = faults.length === 0
  const ratio = medianOf(ratios)
  console.log(
    [
      `${messages.toLocaleString("en")} publications of ${payload.length} bytes for ${others}`,
      `throughput of the others ${ratio.toFixed(2)} of ${Math.round(medianOf(speeds)).toLocaleString("en")}/s without it (${ratios.map((value) => value.toFixed(2)).join(" ")})`,
      asItShould ? "everybody got everything, and it was disconnected" : `not as it should be: ${faults.join("; ")}`,
    ].join("; "),
  )
  return asItShould && ratio >= ratioMin
}
