/**
 * Kills a consumer and its daemon, again and again, and looks at what was handled.
 *
 * A publisher in this process publishes with keys; the consumer and the daemon are processes of their own. What the
 * consumer handles it appends to a file. Each of its lives is a reader of its own for the history checker: it must begin
 * where nothing is skipped and nothing committed comes again, and see each log in order without a gap, also across kills
 * of the daemon, which it outlives.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Context, Effect, Fiber, Layer, Random, Schedule } from "effect"
import { key as logKey } from "../../src/domain/LogId.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { check, type Read, type Seen, type Verdict, type Write } from "../../src/testing/history.ts"
import { storedOf } from "../../src/testing/reader.ts"
import { Topics } from "../../src/topics/Topics.ts"
import * as Daemon from "./Daemon.ts"
import * as Program from "./Program.ts"

export interface ConsumersOptions extends Pick<Daemon.DaemonOptions, "storage"> {
  readonly rounds: number
  /** Decides who is killed, and when. */
  readonly seed: number
  readonly how: "one" | "chunks" | "careless"
  /** Whether the daemon is killed, too. */
  readonly killsDaemon: boolean
}

export interface ConsumersReport {
  readonly verdict: Verdict
  readonly published: number
  /** Lines in the file: what came again is counted again. */
  readonly handled: number
  readonly lives: number
}

interface Handled extends Seen {
  readonly life: string
  readonly position: number
}

const app = Program.pathTo(import.meta.url, "./consumerApp.ts")
const topics = ["load/a", "load/b", "load/c"]
const batchMessages = 20
/** Between two batches, in milliseconds: what is handled is read again and again. */
const pauseMillis = 3
const patienceMillis = 60_000

const read = (file: string): ReadonlyArray<Handled> => {
  const lines = readFileSync(file, "utf8").split("\n")
  // A line without its end was being written when its writer was killed: it was not handled.
  return lines.slice(0, -1).map((line) => {
    const [life, position, topic, offset, id, content] = JSON.parse(line) as [
      string,
      number,
      string,
      number,
      string,
      string,
    ]
    return { life, position, topic, offset, id, content, origin: defaultNodeId, deleted: false }
  })
}

/**
 * The lives of a consumer as readers: each with where it had to begin in each log. `places` are those at which the
 * cursor stood before the process was started, by its id.
 */
const readsOf = (
  handled: ReadonlyArray<Handled>,
  places: ReadonlyMap<string, number>,
  all: ReadonlyArray<Handled>,
): ReadonlyArray<Read> => {
  const lives = [...new Set(handled.map(({ life }) => life))]
  const before = new Map<string, number>()
  return lives.map((life, index): Read => {
    const seen = handled.filter((one) => one.life === life)
    const isLast = index === lives.length - 1
    const expected = new Map<string, { firstMin: number; firstMax: number; last: number }>()
    const place = places.get(life.slice(0, life.indexOf("."))) ?? 0
    for (const topic of topics) {
      const key = logKey({ topic, origin: defaultNodeId })
      const log = all.filter((one) => one.topic === topic)
      const firstMin = log.filter((one) => one.position <= place).length + 1
      const firstMax = (before.get(key) ?? 0) + 1
      expected.set(key, { firstMin: Math.min(firstMin, firstMax), firstMax, last: isLast ? log.length : 0 })
    }
    for (const one of seen) {
      const key = logKey(one)
      before.set(key, Math.max(before.get(key) ?? 0, one.offset))
    }
    return { reader: `life ${life}`, seen, expected }
  })
}

/** Runs it all. */
export const consumers = ({ how, killsDaemon, rounds, seed, storage }: ConsumersOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const daemon = yield* Daemon.make({ storage })
      yield* daemon.start
      const file = join(dirname(daemon.store), "handled")
      writeFileSync(file, "")
      const client = yield* Layer.build(Layer.fresh(layerTopics({ url: daemon.url, timeout: "5 seconds" })))
      const node = Context.get(client, Topics)
      const writes: Array<Write> = []
      let isStopping = false
      let batches = 0

      const publishing = Effect.whileLoop({
        while: () => !isStopping,
        body: () => {
          const number = ++batches
          const topic = topics[number % topics.length]!
          const drafts = Array.from({ length: batchMessages }, (_, i) => ({
            topic,
            payload: `${number}.${i}`,
            key: `${number}.${i}`,
          }))
          return Effect.map(
            Effect.retry(node.publishAll(drafts), Schedule.spaced("20 millis")).pipe(Effect.delay(pauseMillis)),
            (stored) => {
              for (const { offset, payload } of stored) {
                const content = Buffer.from(payload).toString()
                writes.push({ writer: "publisher", content, topic, origin: defaultNodeId, offset, outcome: "ok" })
              }
            },
          )
        },
        step: () => {},
      })
      const publisher = yield* Effect.forkScoped(publishing)

      const startConsumer = Program.start([app, daemon.url, file, how])
      const places = new Map<string, number>()
      let consumer = yield* startConsumer
      let pid = consumer.pid
      /** Something of this life, and more than there was. */
      const progress = (lines: number) =>
        Effect.repeat(
          Effect.andThen(
            Effect.sleep(5),
            Effect.sync(() => read(file)),
          ),
          {
            until: (handled) => handled.length > lines && handled.at(-1)!.life.startsWith(`${pid}.`),
          },
        ).pipe(Effect.timeout(patienceMillis))

      for (let round = 0; round < rounds; round++) {
        yield* progress(read(file).length)
        yield* Effect.sleep(yield* Random.nextIntBetween(5, 120))
        const who = killsDaemon ? yield* Random.nextIntBetween(0, 3) : 1
        // The consumer, the daemon, or both at once.
        if (who !== 0) yield* consumer.end("SIGKILL")
        if (who !== 1) {
          yield* daemon.kill
          yield* daemon.start
        }
        if (who !== 0) {
          const [cursor] = yield* Effect.retry(node.cursors, Schedule.spaced("20 millis"))
          consumer = yield* startConsumer
          pid = consumer.pid
          places.set(String(pid), cursor?.position ?? 0)
        }
      }
      yield* progress(read(file).length)
      isStopping = true
      yield* Fiber.join(publisher)

      const stored = yield* Effect.forEach(topics, (topic) => allOf(node, topic))
      const all = stored.flat()
      const last = Math.max(...all.map(({ position }) => position))
      const done = Effect.repeat(Effect.andThen(Effect.sleep(10), node.cursors), {
        until: ([cursor]) => (cursor?.position ?? 0) >= last && read(file).at(-1)?.position === last,
      })
      yield* Effect.timeoutOption(done, how === "careless" ? 3000 : patienceMillis)
      yield* consumer.end("SIGKILL")
      const handled = read(file)
      const reads = readsOf(handled, places, all)
      const report: ConsumersReport = {
        verdict: check({ writes, deletions: [], final: all, reads }),
        published: all.length,
        handled: handled.length,
        lives: reads.length,
      }
      return report
    }),
  ).pipe(Random.withSeed(seed))

const allOf = Effect.fnUntraced(function* (node: Topics["Service"], topic: string) {
  const all: Array<Handled> = []
  for (;;) {
    const page = yield* node.fetch(topic, { from: all.length + 1, limit: 10_000 })
    if (page.length === 0) return all
    for (const message of page) all.push({ ...storedOf(message), life: "", position: message.position })
  }
})
