/**
 * I7: a subscriber that stops reading costs its node a bounded amount of memory, and misses nothing. What it costs the
 * others in time is measured by `npm run soak -- slow-subscriber`.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue } from "effect"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { Topics } from "../../src/topics/Topics.ts"
import * as Program from "../crash/Program.ts"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import { type Memory, slowSubscriber, type SlowSubscriberReport, warmUpMessages } from "./slowSubscriber.ts"
import { smallHeap } from "./smallHeap.ts"

const grownBytesMax = 64 * 1024 * 1024
const topicsChecked = 10

const expectBoundedAndComplete = (report: SlowSubscriberReport, messages: number): void => {
  expect(report.peakRss - report.before.rss).toBeLessThan(grownBytesMax)
  expect(report.whileStopped.held - report.before.held).toBeLessThan(grownBytesMax)
  expect(report.after.held - report.before.held).toBeLessThan(grownBytesMax)
  // It did stop, at the beginning.
  expect(report.seenBeforeStop).toBeGreaterThan(0)
  expect(report.seenBeforeStop).toBeLessThan((messages - warmUpMessages) / 2)
  expect(report.received).toEqual({
    "the one that reads": { count: messages, jumps: 0 },
    "the one that stops": { count: messages - warmUpMessages, jumps: 0 },
    "the one that came last": { count: messages, jumps: 0 },
  })
  expect(report.verdict).toBe("0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck")
}

/** A client of the node at the URL, with a connection of its own. */
const connect = (url: string) =>
  Effect.map(Layer.build(Layer.fresh(layerTopics({ url }))), (services) => Context.get(services, Topics))

describe("a subscriber that stops reading", () => {
  it.live(
    "while 1,000,000 messages are published in its process costs less than 64 MiB, and gets them all",
    () =>
      Effect.gen(function* () {
        const messages = 1_000_000
        const path = join(yield* diskDirectory, "bus.sqlite")
        const app = Program.pathTo(import.meta.url, "./slowSubscriberApp.ts")
        const ended = yield* Program.run([app, path, `${messages}`, "with", `${topicsChecked}`], {
          nodeFlags: smallHeap,
        })
        expect(ended.stderr).toBe("")
        expectBoundedAndComplete(JSON.parse(ended.stdout.toString("utf8")), messages)
      }),
    240_000,
  )

  it.live(
    "while 150,000 messages are published over gRPC costs the node less than 64 MiB, and gets them all",
    () =>
      Effect.gen(function* () {
        const messages = 150_000
        const path = join(yield* diskDirectory, "bus.sqlite")
        const said = yield* Queue.unbounded<unknown>()
        const node = yield* Program.start([Program.pathTo(import.meta.url, "./slowSubscriberNode.ts"), path], {
          nodeFlags: smallHeap,
          onMessage: (message) => Queue.offerUnsafe(said, message),
        })
        const next = Effect.raceFirst(
          Queue.take(said),
          Effect.flatMap(node.ended, () => Effect.die(new Error(node.stderr))),
        )
        const { url } = (yield* next) as { readonly url: string }
        const report = yield* slowSubscriber({
          publisher: yield* connect(url),
          fast: yield* connect(url),
          stopped: yield* connect(url),
          messages,
          topicsChecked,
          memory: (collect) =>
            Effect.suspend(() => {
              node.send({ collect })
              return Effect.map(next, (message) => message as Memory)
            }),
        })
        expectBoundedAndComplete(report, messages)
      }),
    240_000,
  )
})
