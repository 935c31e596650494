/**
 * A connection is a stream of bytes, whatever carries it: however it is written and however its reader pauses, what
 * arrives is what was written, and then the end.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import type { Connection } from "../../src/transport/index.ts"
import { endpointOf, listen, makeWitness, pair, ways, witness } from "./places.ts"

const runs = 25

/** Sizes around which carriers change how they frame and cut, and some between. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(125, 126, 127, 65_535, 65_536, 65_537, 200_000),
  fc.integer({ min: 0, max: 100_000 }),
)

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("write" as const), size }) },
  { weight: 2, arbitrary: fc.constant({ do: "pause" as const }) },
  { weight: 3, arbitrary: fc.constant({ do: "resume" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "turn" as const }) },
)

const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Bytes that tell where they are. */
const makeBytes = (from: number, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) bytes[i] = ((from + i) * 31 + ((from + i) >> 8)) & 0xff
  return bytes
}

const send = (from: Connection, bytes: Buffer, drained: () => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const waiting = drained()
    return from.write(bytes) ? Effect.void : waiting
  })

describe.each(ways)("a connection over $way", ({ dial, kind }) => {
  it.live("is the stream of bytes that was written, in both directions, however it is cut and paused", () =>
    Effect.gen(function* () {
      const listener = yield* listen(yield* endpointOf(kind))
      const program = fc.record({
        steps: fc.array(step, { maxLength: 25 }),
        isFromNear: fc.boolean(),
        attachesFirst: fc.boolean(),
      })
      const property = fc.asyncProperty(program, ({ attachesFirst, isFromNear, steps }) =>
        Effect.gen(function* () {
          const { far, near } = yield* pair(listener, dial)
          const [from, to] = isFromNear ? [near, far] : [far, near]
          const writer = witness(from)
          const seen = makeWitness()
          let isPaused = false
          let violations = 0
          const reader = {
            ...seen.reader,
            onChunk: (chunk: Uint8Array) => {
              if (isPaused) violations += 1
              seen.reader.onChunk(chunk)
            },
          }
          if (attachesFirst) to.attach(reader)
          const written: Array<Buffer> = []
          let count = 0
          for (const step of steps) {
            if (step.do === "turn") yield* turn
            if (step.do === "pause") {
              isPaused = true
              to.pause()
            }
            if (step.do === "resume") {
              isPaused = false
              to.resume()
            }
            if (step.do !== "write") continue
            const bytes = makeBytes(count, step.size)
            written.push(bytes)
            count += bytes.length
            // Nobody waits here: a reader that has paused would never let it go on.
            from.write(bytes)
          }
          if (!attachesFirst) to.attach(reader)
          isPaused = false
          to.resume()
          from.end()
          expect(yield* seen.ended).toBe(undefined)
          expect(yield* writer.ended).toBe(undefined)
          expect(seen.bytes().equals(Buffer.concat(written))).toBe(true)
          expect({ violations, ends: seen.ends.length, isOpen: to.isOpen }).toEqual({
            violations: 0,
            ends: 1,
            isOpen: false,
          })
        }).pipe(Effect.scoped, Effect.runPromise),
      )
      yield* Effect.promise(() => fc.assert(property, { numRuns: runs }))
    }),
  )

  it.live.each(["nobody reads", "its reader has paused"])(
    "tells its writer to wait while %s, and goes on then",
    (who) =>
      Effect.gen(function* () {
        const listener = yield* listen(yield* endpointOf(kind))
        const { far, near } = yield* pair(listener, dial)
        const reader = makeWitness()
        if (who !== "nobody reads") {
          far.attach(reader.reader)
          far.pause()
        }
        const writer = witness(near)
        const chunk = Buffer.alloc(64 * 1024, 7)
        // More than the kernel and both sides will take.
        const chunksMax = 1024
        let chunks = 0
        let isFull = false
        while (!isFull && chunks < chunksMax) {
          chunks += 1
          const drained = writer.drained
          if (near.write(chunk)) continue
          const isQuiet = yield* Effect.raceFirst(Effect.as(drained, false), Effect.as(Effect.sleep(200), true))
          isFull = isQuiet && near.pendingBytes > 0
        }
        expect(isFull).toBe(true)
        expect(near.pendingBytes).toBeGreaterThan(0)
        // A browser may hold a mebibyte before it says so.
        expect(near.pendingBytes).toBeLessThan(1024 * 1024 + 4 * chunk.length)

        const drained = writer.drained
        far.attach(reader.reader)
        far.resume()
        yield* drained
        yield* reader.has(chunks * chunk.length)
        // It goes on as it should, each time until it may.
        for (let i = 0; i < 40; i++) yield* send(near, chunk, () => writer.drained)
        chunks += 40
        const all = yield* reader.has(chunks * chunk.length)
        expect(all.length).toBe(chunks * chunk.length)
        expect(all.every((byte) => byte === 7)).toBe(true)
        expect(near.pendingBytes).toBe(0)
        expect(near.sentBytes).toBeGreaterThanOrEqual(all.length)
        expect(far.receivedBytes).toBeGreaterThanOrEqual(all.length)
      }),
  )
})
