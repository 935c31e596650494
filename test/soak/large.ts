/**
 * `npm run soak -- large [--gib N] [--subscribers N] [--directory DIR]`: a node on a store of gigabytes.
 *
 * The store is made, then a node starts on it, out of the package as users install it: after it was closed, and after its
 * process was killed under load. It is to start as it does on an empty store, and its memory is to stay small while many
 * subscribers read everything.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Context, Effect, Layer, Stream } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { packItems } from "../../src/storage/parts/ItemBlock.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { QueueStore } from "../../src/storage/QueueStore.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { Topics } from "../../src/topics/Topics.ts"
import { freePort } from "../crash/Daemon.ts"
import * as Program from "../crash/Program.ts"
import { installPackage } from "../support/installedPackage.ts"
import { showProgress } from "./progress.ts"

const bytesPerMiB = 1024 * 1024
const bytesPerGiB = 1024 * bytesPerMiB
const startMillisMax = 1000
const rssMiBMax = 256
const topicsCount = 16
const keysCount = 100_000
const payloadBytes = { min: 4096, max: 16_384 }
const batchMessages = 128

/** Bytes that are not the same from message to message, cut out of one array. */
const noise = Buffer.from(Array.from({ length: 2 * payloadBytes.max }, (_, i) => (i * 7919) % 251))

const draftOf = (number: number, key?: string) => ({
  topic: `large/${number % topicsCount}`,
  id: `message-${number}`,
  createdAt: number,
  headers: {},
  payload: noise.subarray(
    number % payloadBytes.max,
    (number % payloadBytes.max) + payloadBytes.min + ((number * 31) % (payloadBytes.max - payloadBytes.min)),
  ),
  key,
})

/** Fills a store; gives how many messages it holds. */
const fill = (path: string, bytes: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const logs = yield* LogStore
    const queues = yield* QueueStore
    const { node } = logs.info
    let written = 0
    let messages = 0
    while (written < bytes) {
      const drafts = Array.from({ length: batchMessages }, () => draftOf(messages++))
      for (const { payload } of drafts) written += payload.byteLength
      yield* logs.append([drafts])
      if (messages % 8192 === 0) showProgress(`filling: ${(written / bytesPerGiB).toFixed(1)} GiB`)
    }
    // What a start might take its time over: many keys, and items that wait.
    for (let keys = 0; keys < keysCount; keys += 1000) {
      yield* logs.append([
        Array.from({ length: 1000 }, (_, i) => ({
          ...draftOf(messages++, `key ${keys + i}`),
          payload: Buffer.from("keyed"),
        })),
      ])
      const items = Array.from({ length: 1000 }, (_, i) => ({
        ...draftOf(keys + i),
        source: node,
        target: undefined,
        death: undefined,
        payload: Buffer.from(`item ${keys + i}`),
      }))
      yield* queues.apply([{ type: "enqueue", queue: "large", blocks: packItems(items) }])
    }
    return messages
  }).pipe(Effect.provide(Sqlite.layerOnLoop({ path, durability: "os" })), Effect.orDie)

interface Started {
  readonly program: Program.Program
  readonly url: string
  readonly millis: number
}

const startNode = (millrace: string, data: string) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const began = performance.now()
    const flags = ["--data", data, "--grpc", `127.0.0.1:${port}`, "--admin", "off"]
    const program = yield* Program.start([millrace, "serve", ...flags])
    yield* program.until(({ stdout }) => stdout.toString("utf8").startsWith("millrace ready"))
    return { program, url: `grpc://127.0.0.1:${port}`, millis: performance.now() - began } satisfies Started
  })

/** The most memory that a process ever had, in MiB. */
const peakRssMiB = (pid: number): number => {
  const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return Number(kibibytes) / 1024
}

const connect = (url: string) =>
  Effect.map(Layer.build(Layer.fresh(layerTopics({ url }))), (services) => Context.get(services, Topics))

/** Reads everything that is stored now; gives the number of messages that were not the next one of their log. */
const readAll = (url: string, messages: number, onRead: (messages: number) => void) =>
  Effect.gen(function* () {
    const topics = yield* connect(url)
    const last = new Map<string, number>()
    let jumps = 0
    yield* topics.subscribe("#", { from: "start" }).pipe(
      Stream.take(messages),
      Stream.runForEachArray((chunk) =>
        Effect.sync(() => {
          for (const message of chunk) {
            const log = LogId.key(message)
            if (message.offset !== (last.get(log) ?? 0) + 1) jumps++
            last.set(log, message.offset)
          }
          onRead(chunk.length)
        }),
      ),
    )
    return jumps
  }).pipe(Effect.scoped)

/** Publishes so much that the log is long, and kills the node. */
const killUnderLoad = ({ program, url }: Started) =>
  Effect.gen(function* () {
    const topics = yield* connect(url)
    for (let i = 0; i < 40; i++) {
      yield* topics.publishAll(
        Array.from({ length: 64 }, (_, j) => ({ topic: "more", payload: draftOf(i * 64 + j).payload })),
      )
    }
    yield* program.end("SIGKILL")
    return 40 * 64
  }).pipe(Effect.scoped)

/** Figures are said as soon as they are known: the rest takes its time. */
const say = (figure: string): Effect.Effect<void> =>
  Effect.sync(() => {
    showProgress("")
    console.log(figure)
  })

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

const measure = (millrace: string, data: string, gib: number, subscribers: number) =>
  Effect.gen(function* () {
    const path = join(data, "millrace.sqlite")
    const empty = yield* startNode(millrace, `${data}-empty`)
    yield* empty.program.end("SIGTERM")
    const stored = yield* fill(path, gib * bytesPerGiB)
    const bytes = statSync(path).size

    yield* say(`${(bytes / bytesPerGiB).toFixed(2)} GiB, ${stored.toLocaleString("en")} messages`)

    const closed = yield* startNode(millrace, data)
    const published = yield* killUnderLoad(closed)
    const killed = yield* startNode(millrace, data)
    const pid = killed.program.pid!
    const startMillis = [closed.millis, killed.millis, empty.millis].map((millis) => millis.toFixed(0))
    yield* say(
      `ready in ${startMillis[0]} ms, after a kill in ${startMillis[1]} ms; with nothing stored in ${startMillis[2]} ms`,
    )
    yield* say(`memory of the node at its start: ${peakRssMiB(pid).toFixed(0)} MiB`)

    const messages = stored + published
    const readBegan = performance.now()
    let read = 0
    const onRead = (count: number) => {
      read += count
      const total = (messages * subscribers).toLocaleString("en")
      showProgress(`read ${read.toLocaleString("en")} of ${total}, ${peakRssMiB(pid).toFixed(0)} MiB`)
    }
    const jumps = yield* Effect.forEach(
      Array.from({ length: subscribers }),
      () => readAll(killed.url, messages, onRead),
      { concurrency: "unbounded" },
    )
    const jumped = jumps.reduce((sum, count) => sum + count, 0)
    const rss = peakRssMiB(pid)
    const gibRead = ((bytes * subscribers) / bytesPerGiB).toFixed(1)
    yield* say(`${subscribers} subscribers read ${gibRead} GiB in ${seconds(readBegan)}, with ${jumped} jumps`)
    yield* say(`memory of the node at most: ${rss.toFixed(0)} MiB`)

    const backupBegan = performance.now()
    yield* Sqlite.backup({ path, to: join(data, "backup.sqlite") })
    yield* say(`backup beside the node in ${seconds(backupBegan)}`)
    yield* killed.program.end("SIGTERM")
    const examineBegan = performance.now()
    const events = yield* Stream.runCollect(Sqlite.examine(join(data, "backup.sqlite")))
    const last = events.at(-1)
    const findings = last?._tag === "Examined" ? last.summary.findings : Number.NaN
    yield* say(`doctor on the backup in ${seconds(examineBegan)}, with ${findings} findings`)
    const isQuick = closed.millis < startMillisMax && killed.millis < startMillisMax
    return isQuick && jumped === 0 && findings === 0 && rss < rssMiBMax
  })

/** Gives whether everything was as it should be. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      gib: { type: "string", default: "5" },
      subscribers: { type: "string", default: "10" },
      directory: { type: "string", default: tmpdir() },
    },
  })
  const gib = Number(values.gib)
  const subscribers = Number(values.subscribers)
  if (!(gib > 0)) throw new Error("--gib takes a number above 0")
  if (!Number.isSafeInteger(subscribers) || subscribers < 1)
    throw new Error("--subscribers takes a whole number from 1 on")
  const directory = mkdtempSync(join(values.directory, "millrace-large-"))
  const data = join(directory, "data")
  mkdirSync(data, { mode: 0o700 })
  try {
    const { installed } = await installPackage(directory)
    const millrace = join(installed, "bin", "millrace.js")
    return await Effect.runPromise(Effect.scoped(measure(millrace, data, gib, subscribers)))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
