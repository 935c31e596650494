/**
 * Cuts the power at many places of a traced run, and looks at what the store makes of what may then be on the disk:
 * nothing that was acknowledged is lost, nothing is damaged, nothing is half there.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { Effect, type Layer, Queue, type Scope, Stream } from "effect"
import type { NodeId } from "../../src/domain/NodeId.ts"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { QueueStore } from "../../src/storage/QueueStore.ts"
import { itemsOf } from "../../src/storage/parts/queuePage.ts"
import type { ExaminationEvent } from "../../src/storage/Examination.ts"
import { examine as examineSource } from "../../src/storage/examination/examine.ts"
import { Environment } from "../../src/storage/lmdb/Environment.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import { lmdbSource } from "../../src/storage/lmdb/LmdbSource.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import * as Program from "../crash/Program.ts"
import { diskDirectory, temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { compile } from "./fsyncFault.ts"
import { emptyState, type Line, progressOf, type State, stateAfter, type Step } from "./powerLossModel.ts"
import { type Chance, Disk, type Entry, type Loss, losses, readTrace } from "./Trace.ts"

export interface PowerLossOptions {
  readonly backend: keyof typeof backends
  readonly images: number
  /** Decides where the power is cut and what is lost; the program's own steps too. */
  readonly seed: number
  /** Steps of the traced program. */
  readonly steps: number
  /** `os` is a bug that is planted: commits are not synced. */
  readonly durability: "fsync" | "os"
  readonly onImage?: ((done: number) => void) | undefined
}

export interface PowerLossReport {
  readonly entries: number
  readonly images: number
  /** Images with something acknowledged, and with something that was not synced. */
  readonly withAcknowledged: number
  /** Images that lack something acknowledged, are damaged, or hold a part of a step. */
  readonly lost: number
  readonly corrupt: number
  readonly halfDone: number
  /** The first of them, each with its place, to be made again. */
  readonly findings: ReadonlyArray<string>
}

const findingsMax = 10
const said = "said"

/** What has to be known of a storage: the file or directory that it is opened by, and what of it a disk keeps. */
interface Backend {
  readonly pathIn: (directory: string) => string
  /** The file without which nothing has been made yet. */
  readonly main: string
  readonly isKept: (file: string) => boolean
  readonly open: (path: string) => Layer.Layer<StoreServices, unknown>
  readonly examine: (path: string) => Stream.Stream<ExaminationEvent, { readonly message: string }>
}

const backends = {
  sqlite: {
    pathIn: (directory) => join(directory, "store.db"),
    main: "store.db",
    isKept: (file) => file.startsWith("store.db") && !/-(lock|shm)/.test(file),
    open: (path) => Sqlite.layerOnLoop({ path, reserveBytes: 0 }),
    examine: Sqlite.examine,
  },
  lmdb: {
    pathIn: (directory) => directory,
    main: "data.mdb",
    isKept: (file) => /^data\.mdb(-unfinished)?$/.test(file),
    open: (path) => Lmdb.layerOnLoop({ path, reserveBytes: 0 }),
    // In this process: what a power cut leaves must be nothing that ends a process.
    examine: (path) =>
      Stream.callback((queue) =>
        Effect.acquireUseRelease(
          Effect.sync(() => Environment.open({ path, durability: "fsync" }, "must be there")),
          (environment) => examineSource(lmdbSource(environment), (event) => Queue.offer(queue, event)),
          (environment) => Effect.promise(() => environment.close()),
        ).pipe(Effect.andThen(Queue.end(queue))),
      ),
  },
} as const satisfies Readonly<Record<string, Backend>>

/** Runs the program, traced. */
const trace = ({
  backend,
  durability,
  seed,
  steps,
}: PowerLossOptions): Effect.Effect<ReadonlyArray<Entry>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* diskDirectory
    const library = join(directory, "trace.so")
    const traced = join(directory, "traced")
    mkdirSync(traced)
    yield* compile("trace.c", library)
    const app = Program.pathTo(import.meta.url, "./powerLossApp.ts")
    const file = join(directory, "trace")
    const { signal, stderr } = yield* Program.run([app, traced, backend, durability, `${steps}`, `${seed}`], {
      env: { LD_PRELOAD: library, TRACE_DIRECTORY: traced, TRACE_FILE: file },
    })
    if (signal !== "SIGKILL") return yield* Effect.die(new Error(`the program did not get to its end: ${stderr}`))
    return readTrace(file)
  })

/** Chances that are the same for the same seed. */
const chances = (seed: string): Chance => {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0)
  return (bound) => {
    // A linear congruential generator, of which only the upper bits count.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

const unlimited = { rows: 100_000, bytes: 1024 * 1024 * 1024 }

/** Opens the store and reads everything. */
const readStore = ({ open }: Backend, path: string): Effect.Effect<State, unknown> =>
  Effect.gen(function* () {
    const logs = yield* LogStore
    const queues = yield* QueueStore
    const cursors = yield* CursorStore
    const state = emptyState()
    for (const { name, position } of yield* cursors.cursors) state.cursors[name] = position
    const origin: NodeId = logs.info.node
    for (const { topic } of yield* logs.heads) {
      if (topic.startsWith("$")) continue
      const messages = yield* logs.readLog({ topic, origin }, 1, unlimited)
      if (messages.some(({ offset }, i) => offset !== i + 1)) return yield* Effect.fail(`gap in ${topic}`)
      state.topics[topic] = messages.map(({ deleted, payload }) => (deleted ? null : Buffer.from(payload).toString()))
    }
    for (const { depth, queue } of yield* queues.queues) {
      const items = itemsOf(queue, yield* queues.page(queue, 0, unlimited), 0, unlimited)
      if (items.length !== depth) return yield* Effect.fail(`the queue ${queue} has ${items.length} of ${depth} items`)
      if (depth > 0) {
        state.queues[queue] = items.map(({ attempts, payload }) => [Buffer.from(payload).toString(), attempts] as const)
      }
    }
    return state
  }).pipe(Effect.provide(open(path)))

const withoutEmpty = ({ cursors, queues, topics }: State): State => ({
  topics,
  cursors,
  queues: Object.fromEntries(Object.entries(queues).filter(([, items]) => items.length > 0)),
})

/** Of two states, the part that an actor works on. */
const partOf = (state: State, names: ReadonlySet<string>): State => ({
  topics: Object.fromEntries(Object.entries(state.topics).filter(([name]) => names.has(name))),
  queues: Object.fromEntries(Object.entries(state.queues).filter(([name]) => names.has(name))),
  cursors: Object.fromEntries(Object.entries(state.cursors).filter(([name]) => names.has(name))),
})

const namesOf = (step: Step): ReadonlyArray<string> => {
  if ("topic" in step) return [step.topic]
  return "cursor" in step ? [step.cursor] : [step.queue, `${step.queue}.dead`]
}

type Judgement = "right" | "lost" | "half done"

/** Each actor's part must be as after its acknowledged steps, or after one more that it had asked for. */
const judge = (found: State, lines: ReadonlyArray<Line>): Judgement => {
  let judgement: Judgement = "right"
  for (const { acknowledged, asked } of progressOf(lines).values()) {
    const states = asked.map((_, i) => withoutEmpty(stateAfter(asked.slice(0, i + 1))))
    const names = new Set(asked.flatMap((step) => namesOf(step)))
    const part = partOf(found, names)
    const isAfter = (steps: number) => isDeepStrictEqual(part, steps === 0 ? emptyState() : states[steps - 1])
    if (isAfter(acknowledged) || (asked.length > acknowledged && isAfter(asked.length))) continue
    const isEarlier = Array.from({ length: acknowledged }, (_, steps) => steps).some(isAfter)
    if (!isEarlier) return "half done"
    judgement = "lost"
  }
  return judgement
}

const findingsOf = ({ examine }: Backend, path: string): Effect.Effect<ReadonlyArray<string>> =>
  Stream.runCollect(examine(path)).pipe(
    Effect.map((events) =>
      events.flatMap((event) => (event._tag === "Found" ? [`${event.finding.kind}: ${event.finding.message}`] : [])),
    ),
    Effect.catch((error) => Effect.succeed([error.message])),
    Effect.catchDefect((defect) => Effect.succeed([String(defect)])),
  )

/** A database that was not made yet: nothing has been acknowledged, and the next start makes it. */
const isUnmade = (findings: ReadonlyArray<string>): boolean =>
  findings.length === 1 && /^not a database: (the database|\S+) is empty$/.test(findings[0]!)

interface ImageReport {
  readonly problem: "lost" | "corrupt" | "half done" | undefined
  readonly what: string
}

const sound: ImageReport = { problem: undefined, what: "" }

const lookAt = (
  backend: Backend,
  directory: string,
  files: ReadonlyMap<string, Buffer>,
  lines: ReadonlyArray<Line>,
): Effect.Effect<ImageReport> =>
  Effect.gen(function* () {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
    for (const [name, content] of files) {
      if (backend.isKept(name)) writeFileSync(join(directory, name), content)
    }
    const path = backend.pathIn(directory)
    const before = existsSync(join(directory, backend.main)) ? yield* findingsOf(backend, path) : []
    if (before.length > 0 && !(isUnmade(before) && lines.length === 0)) {
      return { problem: "corrupt", what: before.join("; ") } as const
    }
    const state = yield* Effect.result(readStore(backend, path))
    if (state._tag === "Failure") return { problem: "corrupt", what: String(state.failure) } as const
    const after = yield* findingsOf(backend, path)
    if (after.length > 0) return { problem: "corrupt", what: `once opened: ${after.join("; ")}` } as const
    const judgement = judge(state.success, lines)
    return judgement === "right" ? sound : ({ problem: judgement, what: "" } as const)
  })

/** What the program had said up to here. */
const linesOf = (text: string): ReadonlyArray<Line> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

export const powerLoss = (options: PowerLossOptions): Effect.Effect<PowerLossReport> =>
  Effect.gen(function* () {
    const entries = yield* trace(options)
    const chance = chances(`${options.seed}`)
    // Cuts in the order of the trace, so that it is played once; one cut may be made several times.
    const cuts = Array.from({ length: options.images }, () => 1 + chance(entries.length)).toSorted((a, b) => a - b)
    const directory = join(yield* temporaryDirectory, "image")
    const disk = new Disk()
    const counts = { lost: 0, corrupt: 0, "half done": 0 }
    const findings: Array<string> = []
    let played = 0
    let saidSoFar = ""
    let withAcknowledged = 0
    for (const [image, cut] of cuts.entries()) {
      for (; played < cut; played++) {
        const entry = entries[played]!
        if (entry.name !== said) disk.play(entry)
        else if (entry.kind === "write") saidSoFar += entry.data.toString()
      }
      const lines = linesOf(saidSoFar)
      if (lines.some(({ what }) => what === "acknowledged")) withAcknowledged++
      const loss: Loss = losses[chance(losses.length)]!
      const { problem, what } = yield* lookAt(backends[options.backend], directory, disk.image(loss, chance), lines)
      options.onImage?.(image + 1)
      if (problem === undefined) continue
      counts[problem]++
      if (findings.length < findingsMax) {
        findings.push(
          `cut after entry ${cut} of ${entries.length} with ${loss} of what was not synced: ${problem} ${what}`,
        )
      }
    }
    return {
      entries: entries.length,
      images: options.images,
      withAcknowledged,
      lost: counts.lost,
      corrupt: counts.corrupt,
      halfDone: counts["half done"],
      findings,
    }
  }).pipe(Effect.scoped)
