/**
 * Stores of logs against bare `node:sqlite` with the same messages: a row each, 1,000 rows of 100 bytes a commit, WAL
 * with synchronous=FULL.
 *
 *     node bench/micro/storage.ts [rounds] [name…]
 *
 * Each round measures the baseline and every subject in turn, on new files; a ratio is the median over the rounds.
 */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { StoreUnusable } from "../../src/domain/errors.ts"
import { noHeaders } from "../../src/domain/Message.ts"
import { type Draft, LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { BareSqlite } from "../baselines/bareSqlite.ts"

const batchRows = 1000
const batches = 100
const rows = batchRows * batches
const payload = Buffer.alloc(100, "x")
const pageBytes = 4 * 1024 * 1024

type Store = LogStore["Service"]
type Rates = Map<string, number>

const perSecond = (count: number, since: number): number => (count / (performance.now() - since)) * 1000

const now = Date.now()
const draft = (topic: string, key?: string): Draft => ({
  topic,
  id: randomUUID(),
  createdAt: now,
  headers: noHeaders,
  payload,
  key,
})

const batch = () => Array.from({ length: batchRows }, () => draft("t"))

const payloads = Array.from({ length: batchRows }, () => payload)

/** What a user would write with node:sqlite alone. */
const bare = (directory: string, rates: Rates): void => {
  const database = new BareSqlite(join(directory, "bare.db"))
  const ids = payloads.map(() => randomUUID())
  let since = performance.now()
  for (let batch = 0; batch < batches; batch++) database.commit(payloads, ids)
  rates.set("append", perSecond(rows, since))
  since = performance.now()
  database.readPages(batchRows, rows, "objects")
  rates.set("read", perSecond(rows, since))
  since = performance.now()
  for (let i = 0; i < 300; i++) database.commit([payload], ids)
  rates.set("lone", perSecond(300, since))
  database.close()
}

const measure = (rates: Rates): Effect.Effect<void, unknown, LogStore> =>
  Effect.gen(function* () {
    const store = yield* LogStore
    const append = (drafts: () => ReadonlyArray<Draft>) =>
      Effect.map(store.append([drafts()]), ({ offsets }) => {
        if (offsets.length !== batchRows) throw new Error("not stored")
      })
    // Threads compile what they run in the first batches.
    for (let i = 0; i < 5; i++) yield* append(batch)

    let since = performance.now()
    for (let i = 0; i < batches; i++) yield* append(batch)
    rates.set("append", perSecond(rows, since))

    since = performance.now()
    yield* Effect.forEach(Array.from({ length: batches }), () => append(batch), { concurrency: 3, discard: true })
    rates.set("append, 3 in flight", perSecond(rows, since))

    since = performance.now()
    for (let i = 0; i < batches; i++) {
      const requests = batch().map((one) => [one])
      yield* store.append(requests)
    }
    rates.set("append, a request each", perSecond(rows, since))

    yield* readAll(store, "t", rates, "read one topic")
    yield* readAll(store, "#", rates, "read")

    since = performance.now()
    for (let i = 0; i < 300; i++) yield* store.append([[draft("t")]])
    rates.set("lone", perSecond(300, since))

    since = performance.now()
    for (let i = 0; i < batches / 2; i++) {
      yield* append(() => Array.from({ length: batchRows }, (_, j) => draft("k", `prefix-${i * batchRows + j}`)))
    }
    rates.set("append with keys", perSecond(rows / 2, since))

    since = performance.now()
    for (let i = 0; i < batches / 2; i++) {
      yield* append(() => Array.from({ length: batchRows }, (_, j) => draft(`topic/${j}`)))
    }
    rates.set("append to 1,000 topics", perSecond(rows / 2, since))
    yield* readAll(store, "topic/+", rates, "read 1,000 topics")
  })

const readAll = (store: Store, topics: string, rates: Rates, name: string) =>
  Effect.gen(function* () {
    const since = performance.now()
    let after = 0
    let read = 0
    for (;;) {
      const page = yield* store.readJournal(after, { topics, origin: undefined }, { rows: 1000, bytes: pageBytes })
      read += page.messages.length
      after = page.messages.at(-1)?.position ?? page.scannedTo
      if (page.messages.length === 0 && page.scannedTo >= page.end) break
    }
    rates.set(name, perSecond(read, since))
  })

const subjects: Record<string, (directory: string) => Layer.Layer<LogStore, StoreUnusable>> = {
  "on the loop": (directory) => Sqlite.layerOnLoop({ path: join(directory, "loop.db") }),
  "in a worker": (directory) => Sqlite.layer({ path: join(directory, "worker.db") }),
  memory: () => Memory.layer(),
}

/** Which of the baseline's figures each row is compared with. */
const baselineOf = (row: string): string => (row.startsWith("read") ? "read" : row === "lone" ? "lone" : "append")

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const rounds = Number(process.argv[2] ?? 5)
const chosen = process.argv.slice(3)
const results = new Map<string, Array<{ rate: number; ratio: number }>>()
for (let round = 0; round < rounds; round++) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
  const baseline: Rates = new Map()
  bare(directory, baseline)
  for (const [name, rate] of baseline) record(`bare: ${name}`, rate, 1)
  for (const [subject, layer] of Object.entries(subjects)) {
    if (chosen.length > 0 && !chosen.includes(subject)) continue
    const rates: Rates = new Map()
    await Effect.runPromise(Effect.provide(measure(rates), layer(directory)))
    for (const [name, rate] of rates) record(`${subject}: ${name}`, rate, rate / baseline.get(baselineOf(name))!)
  }
  rmSync(directory, { recursive: true })
}

function record(name: string, rate: number, ratio: number): void {
  const entries = results.get(name) ?? []
  entries.push({ rate, ratio })
  results.set(name, entries)
}

console.log(`medians of ${rounds} rounds, ${payload.length}-byte payloads, node ${process.version}`)
for (const [name, entries] of results) {
  const rate = median(entries.map((entry) => entry.rate))
  const ratio = median(entries.map((entry) => entry.ratio))
  console.log(`${name.padEnd(36)} ${Math.round(rate).toLocaleString("en").padStart(10)} /s   ${ratio.toFixed(2)}`)
}
