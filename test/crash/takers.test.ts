/**
 * I6 over gRPC across SIGKILL of the node and of the taker, which are processes of their own, under load.
 */
import { expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schedule } from "effect"
import { layerQueues } from "../../src/protocol/grpc/index.ts"
import { Queues } from "../../src/queues/index.ts"
import * as Daemon from "./Daemon.ts"
import * as Program from "./Program.ts"

const poisonEvery = 50
/** More is not with a taker, nor on its way to the disk. */
const repeatedMax = 256 + 1024

interface Doing {
  readonly sequence: number
  readonly attempts: number
  readonly content: string
}

const doingsOf = (printed: string): ReadonlyArray<Doing> =>
  // The last line may be cut off by the kill.
  printed
    .slice(0, printed.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [sequence = "", attempts = "", ...content] = line.split(" ")
      return { sequence: Number(sequence), attempts: Number(attempts), content: content.join(" ") }
    })

it.live.each([
  ["sqlite", 6],
  ["lmdb", 2],
] as const)(
  "every item whose enqueueing was acknowledged is done, in order, and poison dies once and comes back: %s",
  ([storage, rounds]) =>
    Effect.gen(function* () {
      const daemon = yield* Daemon.make({ storage })
      yield* daemon.start
      const queues = Context.get(yield* Layer.build(layerQueues({ url: daemon.url })), Queues)
      const startTaker = Program.start([Program.pathTo(import.meta.url, "./takerApp.ts"), daemon.url, "q"])

      const acknowledged: Array<string> = []
      let number = 0
      const enqueue = Effect.suspend(() => {
        number++
        const content = `${number % poisonEvery === 0 ? "poison" : "item"} ${number}`
        return Effect.map(Effect.exit(queues.enqueue("q", content)), (exit) => {
          if (Exit.isSuccess(exit)) acknowledged.push(content)
        })
      })

      const runs: Array<ReadonlyArray<Doing>> = []
      let taker = yield* startTaker
      for (let round = 0; round < rounds; round++) {
        const load = yield* Effect.forkChild(
          Effect.all(
            [1, 2, 3, 4].map(() => Effect.forever(enqueue)),
            { concurrency: "unbounded" },
          ),
        )
        const before = taker.stdoutBytes
        yield* taker.until(({ stdoutBytes }) => stdoutBytes > before + 2000)
        if (round % 2 === 0) {
          yield* daemon.kill
          yield* daemon.start
        } else {
          yield* taker.end("SIGKILL")
          runs.push(doingsOf(taker.stdout.toString("utf8")))
          taker = yield* startTaker
        }
        load.interruptUnsafe()
      }
      const depth = Effect.map(queues.queues, (states) => states.find(({ queue }) => queue === "q")?.depth ?? 0)
      yield* Effect.repeat(Effect.retry(depth, { schedule: Schedule.spaced(20) }), {
        until: (items) => items === 0,
        schedule: Schedule.spaced(20),
      })
      yield* taker.end("SIGKILL")
      runs.push(doingsOf(taker.stdout.toString("utf8")))

      // At least once.
      const all = runs.flat()
      const done = new Set(all.map(({ content }) => content))
      expect(acknowledged.filter((content) => !done.has(content))).toEqual([])
      // How many there are in the time is a question of the machine; that there are some is not.
      expect(acknowledged.length).toBeGreaterThan(runs.length)
      for (const [i, run] of runs.entries()) {
        // In order, and within a process nothing twice but what has failed.
        const wrong = run.filter((doing, j) => {
          const last = run[j - 1]
          if (last === undefined || doing.sequence > last.sequence) return false
          return !(doing.sequence === last.sequence && doing.content.startsWith("poison"))
        })
        expect(wrong).toEqual([])
        // A process does again only the last that the one before it did, and leaves out nothing.
        const end = runs[i - 1]?.at(-1)?.sequence
        if (end === undefined || run[0] === undefined) continue
        expect(run[0].sequence).toBeGreaterThan(end - repeatedMax)
        expect(run[0].sequence).toBeLessThanOrEqual(end + 1)
      }

      // Poison is in the dead queue, once, with its history; and comes back when it is sent back.
      const poison = acknowledged.filter((content) => content.startsWith("poison"))
      const dead = yield* queues.items("q.dead", { limit: 10_000 })
      const names = dead.map(({ payload }) => Buffer.from(payload).toString())
      expect(new Set(names).size).toBe(names.length)
      expect(poison.filter((content) => !names.includes(content))).toEqual([])
      expect(names.every((name) => name.startsWith("poison"))).toBe(true)
      for (const { death } of dead) expect(death).toMatchObject({ attempts: 3, reason: "it is poison" })
      expect(yield* queues.redrive("q")).toBe(dead.length)
      const back = yield* queues.items("q", { limit: 10_000 })
      expect(back.map(({ payload }) => Buffer.from(payload).toString())).toEqual(names)
      expect(yield* queues.items("q.dead")).toEqual([])
      expect((yield* daemon.stop).code).toBe(0)
    }),
  120_000,
)
