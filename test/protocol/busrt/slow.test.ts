/**
 * Clients that do not read, and many that come and go: the others go on, memory stays within its bounds, and nothing is
 * left when they have gone.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { Qos } from "../../../src/protocol/busrt/codec/qos.ts"
import { RawClient } from "./RawClient.ts"
import { served, untilThere } from "./served.ts"

/** What a counter or a gauge shows. */
const metric = (name: string): Effect.Effect<number> =>
  Effect.map(Metric.snapshot, (all) => {
    const states = all.filter(({ id }) => id === name).map(({ state }) => state as { count?: number; value?: number })
    return states.reduce((sum, { count, value }) => sum + Number(count ?? value ?? 0), 0)
  })

/** These clients do not ping, and are not to be given up where the machine is busy. */
const timeoutMillis = 120_000

const others = 99
const frames = 400
const frameBytes = 4096
const queueFramesMax = 64

describe("a client that stops reading, among a hundred", () => {
  it.live(
    "is disconnected when its buffer is full, and everybody else gets everything",
    () =>
      Effect.gen(function* () {
        const queueBytesMax = 512 * 1024
        const { core, endpoint, exchange } = yield* served({ queueFramesMax, queueBytesMax, timeoutMillis })
        const lossy = yield* exchange.connect("lossy", { overflow: "dropNewest", inboxFramesMax: 10 })
        yield* lossy.subscribe("news")
        const overflowsBefore = yield* metric("millrace_live_overflows_total")
        const droppedBefore = yield* metric("millrace_live_dropped_total")
        yield* Effect.promise(async () => {
          const names = Array.from({ length: others }, (_, i) => `reader.${i}`)
          const readers = await Promise.all(names.map((name) => RawClient.connected(endpoint, name)))
          const stopped = await RawClient.connected(endpoint, "stopped")
          const sender = await RawClient.connected(endpoint, "sender")
          for (const client of [...readers, stopped]) {
            await client.ask((to, opId) => to.topics("subscribe", opId, Qos.processed, ["news"]))
          }
          stopped.socket.pause()
          const { outlet } = core.find("stopped")!
          let queuedMax = 0
          const payload = Buffer.alloc(frameBytes, "x")
          for (let i = 0; i < frames; i++) {
            payload.writeUInt32LE(i)
            expect(await sender.ask((to, opId) => to.publish(opId, Qos.processed, "news", payload))).toEqual([1])
            queuedMax = Math.max(queuedMax, outlet.queued())
          }
          // Each has had its acks of the subscription before.
          await Promise.all(readers.map((reader) => reader.until(() => reader.frames.length >= frames + 1)))
          for (const reader of readers) {
            const got = reader.frames.flatMap((frame) => (frame.type === "publication" ? [frame.payload] : []))
            expect(got.map((payload) => Buffer.from(payload).readUInt32LE())).toEqual(
              Array.from({ length: frames }, (_, i) => i),
            )
          }
          expect(core.find("stopped")).toBeUndefined()
          // What the kernel holds of it does not count: it is no memory of ours.
          expect(queuedMax).toBeGreaterThan(queueFramesMax / 2)
          expect(queuedMax).toBeLessThanOrEqual(queueFramesMax)
          stopped.socket.resume()
          await stopped.closed
          expect(stopped.frames.length).toBeLessThan(frames)
        })
        expect((yield* metric("millrace_live_overflows_total")) - overflowsBefore).toBe(1)
        // Those that the other one's policy dropped, and the one frame that ended the first.
        expect((yield* metric("millrace_live_dropped_total")) - droppedBefore).toBe(frames - 10 + 1)
        const info = (yield* exchange.clients).find(({ name }) => name === "lossy")
        expect(info).toMatchObject({ dropped: frames - 10, queued: 10, framesOut: 10 })
      }).pipe(Effect.scoped),
    60_000,
  )
})

/** Runs the collector, which tests have no other access to. */
const collect = (): number => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** Fibers that run, by what the runtime counts. */
const fibers = metric("child_fibers_active")

const clients = 500
const rounds = 20

describe("clients that come and go", () => {
  it.live(
    `${clients} of them ${rounds} times leave nothing behind`,
    () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { core, endpoint } = yield* Scope.provide(served({ timeoutMillis }), scope)
        const names = Array.from({ length: clients }, (_, i) => `storm.${i}`)
        const round = async (): Promise<void> => {
          const connected = await Promise.all(names.map((name) => RawClient.connected(endpoint, name)))
          for (const client of connected) {
            client.send((to) =>
              to.topics("subscribe", 1, Qos.processed, ["storm/#", `storm/${client.socket.localPort}`]),
            )
          }
          await Promise.all(connected.map((client) => client.until(() => client.frames.length > 0)))
          expect(core.size).toBe(clients + 1)
          for (const [at, { socket }] of connected.entries()) {
            if (at % 2 === 0) socket.destroy()
            else socket.end()
          }
          await Promise.all(connected.map((client) => client.closed))
          await untilThere(core, 1)
        }
        const count = Effect.map(fibers, (fibers) => ({
          fibers,
          handles: process.getActiveResourcesInfo().filter((kind) => kind !== "Immediate" && kind !== "Timeout").length,
          subscriptions: core.subscriptions,
        }))
        yield* Effect.promise(round)
        const heap = collect()
        const before = yield* count
        expect(before.fibers).toBeGreaterThan(0)
        for (let i = 1; i < rounds; i++) yield* Effect.promise(round)
        expect(collect() - heap).toBeLessThan(5 * 1024 * 1024)
        expect(yield* count).toEqual(before)
        yield* Scope.close(scope, Exit.void)
        expect(core.isEmpty).toBe(true)
      }).pipe(Metric.enableRuntimeMetrics),
    120_000,
  )
})
