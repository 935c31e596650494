/**
 * What all connections have in common, with a carrier that does whatever a carrier may, in any order: compared with
 * what a reader should have been given.
 */
import { describe, expect, it } from "vitest"
import { Effect, Exit } from "effect"
import * as fc from "fast-check"
import type { Reader } from "../../src/transport/Connection.ts"
import { ConnectionLost } from "../../src/transport/errors.ts"
import { ConnectionCore } from "../../src/transport/internal/ConnectionCore.ts"

/** A carrier that is told what to do. */
class Carrier extends ConnectionCore {
  readonly kind = "tcp"
  readonly source = ""
  readonly port = undefined
  readonly peerNames = []
  readonly pendingBytes = 0
  readonly sentBytes = 0
  receivedBytes = 0
  takes = true
  /** Whether it would bring what comes. */
  isReading = false
  readonly sent: Array<number> = []
  isFinished = false
  isAborted = false

  protected send(bytes: Uint8Array): boolean {
    this.sent.push(bytes[0]!)
    return this.takes
  }
  protected stopReading(): void {
    this.isReading = false
  }
  protected startReading(): void {
    this.isReading = true
  }
  protected finish(): void {
    this.isFinished = true
  }
  protected abort(): void {
    this.isAborted = true
  }

  bring(byte: number): void {
    this.receivedBytes += 1
    this.arrived(Uint8Array.of(byte))
    this.checkBound()
  }
  drain(): void {
    this.drained()
  }
  close(error: ConnectionLost | undefined): void {
    this.gone(error)
  }
}

const broken = new ConnectionLost({ reason: "broken", message: "planted" })

type Step =
  | "attach"
  | "bring"
  | "pause"
  | "resume"
  | "pauseInside"
  | "turn"
  | "end"
  | "destroy"
  | "close"
  | "break"
  | "write"
  | "drain"

const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Step>("bring") },
  { weight: 3, arbitrary: fc.constantFrom<Step>("attach", "pauseInside") },
  { weight: 6, arbitrary: fc.constantFrom<Step>("pause", "resume", "turn") },
  { weight: 2, arbitrary: fc.constantFrom<Step>("write", "drain") },
  { weight: 1, arbitrary: fc.constantFrom<Step>("end", "destroy", "close", "break") },
)

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

const make = (options: Partial<ConstructorParameters<typeof Carrier>[0]> = {}) =>
  new Carrier({ closeWithinMillis: 10_000, ...options })

describe("a connection", () => {
  it("gives its readers every byte in order and then one end, whatever happens in whatever order", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        let goneTimes = 0
        const carrier = make({ onGone: () => (goneTimes += 1) })
        const given: Array<number> = []
        const problems: Array<string> = []
        let isPaused = false
        let pausesInside = false
        let isOver = false
        let isInside = false
        let reader = 0
        const ends = new Map<number, number>()
        const call = (what: () => void) => {
          if (isInside) problems.push("called while another call runs")
          isInside = true
          what()
          isInside = false
        }
        const makeReader = (): Reader => {
          const number = ++reader
          return {
            onChunk: (chunk) =>
              call(() => {
                if (number !== reader) problems.push("a reader that was replaced")
                if (isPaused) problems.push("a chunk while paused")
                if (isOver) problems.push("a chunk after it was ended here")
                if (ends.has(number)) problems.push("a chunk after the end")
                given.push(chunk[0]!)
                if (!pausesInside) return
                pausesInside = false
                isPaused = true
                carrier.pause()
              }),
            onDrain: () => call(() => undefined),
            onClose: () => call(() => ends.set(number, (ends.get(number) ?? 0) + 1)),
          }
        }
        const brought: Array<number> = []
        let isGone = false
        const gone = (error: ConnectionLost | undefined) => {
          isGone = true
          carrier.close(error)
        }
        for (const [i, step] of steps.entries()) {
          if (step === "attach") carrier.attach(makeReader())
          // A carrier may bring what it has read already when it is told to stop.
          if (step === "bring" && !isGone) {
            if (!isOver) brought.push(i)
            carrier.bring(i)
          }
          if (step === "pause") {
            isPaused = true
            carrier.pause()
          }
          if (step === "pauseInside") pausesInside = true
          if (step === "resume") {
            isPaused = false
            carrier.resume()
          }
          if (step === "turn") await turn()
          if (step === "end" || step === "destroy") {
            isOver = true
            carrier[step]()
          }
          if (step === "close" && !isGone) gone(undefined)
          if (step === "break" && !isGone) {
            if (!isOver) isOver = true
            gone(broken)
          }
          if (step === "write") {
            carrier.takes = i % 2 === 0
            const isOpen = carrier.isOpen
            const sent = carrier.sent.length
            expect(carrier.write(Uint8Array.of(i))).toBe(isOpen && carrier.takes)
            expect(carrier.sent.length - sent).toBe(isOpen ? 1 : 0)
          }
          if (step === "drain") carrier.drain()
        }
        // In the end somebody reads, and the carrier is closed.
        if (reader === 0) carrier.attach(makeReader())
        pausesInside = false
        isPaused = false
        carrier.resume()
        await turn()
        expect(isGone || carrier.isAborted || carrier.isReading).toBe(true)
        if (!isGone) gone(undefined)
        await turn()
        expect(problems).toEqual([])
        expect([...ends.values()].every((count) => count === 1)).toBe(true)
        expect(ends.has(reader)).toBe(true)
        expect(goneTimes).toBe(1)
        // All of it, where nobody here stopped it and nothing broke; else as much as had been given by then.
        expect(given).toEqual(isOver ? brought.slice(0, given.length) : brought)
      }),
      { numRuns: 3000 },
    ))

  it("gives what came between its resuming and what is held behind what is held", async () => {
    const carrier = make()
    const given: Array<number> = []
    carrier.attach({ onChunk: ([byte]) => void given.push(byte!), onDrain: () => {}, onClose: () => {} })
    carrier.pause()
    carrier.bring(1)
    carrier.resume()
    carrier.bring(2)
    await turn()
    expect(given).toEqual([1, 2])
  })

  it("calls for more only where it had said to wait, and only while it is open", () => {
    const carrier = make()
    let drains = 0
    carrier.attach({ onChunk: () => {}, onDrain: () => (drains += 1), onClose: () => {} })
    carrier.drain()
    expect(drains).toBe(0)
    carrier.takes = false
    expect(carrier.write(Uint8Array.of(1))).toBe(false)
    carrier.drain()
    carrier.drain()
    expect(drains).toBe(1)
    carrier.write(Uint8Array.of(2))
    carrier.end()
    carrier.drain()
    expect([drains, carrier.isFinished, carrier.isAborted]).toEqual([1, true, false])
    carrier.close(undefined)
  })

  it("ends as it was told to, whatever its carrier makes of that", async () => {
    const why = new ConnectionLost({ reason: "violation", message: "enough" })
    const outcome = async (close: (carrier: Carrier) => void) => {
      const carrier = make()
      close(carrier)
      carrier.close(broken)
      const exit = await Effect.runPromiseExit(carrier.closed)
      return Exit.isSuccess(exit) ? "in order" : exit.cause.reasons.map((reason) => "error" in reason && reason.error)
    }
    expect(await outcome((carrier) => carrier.end())).toBe("in order")
    expect(await outcome((carrier) => carrier.destroy())).toBe("in order")
    expect(await outcome((carrier) => carrier.destroy(why))).toEqual([why])
    expect(await outcome(() => undefined)).toEqual([broken])
  })

  it("tells a second reader of the end too", async () => {
    const carrier = make()
    const told: Array<string> = []
    const reader = (name: string): Reader => ({ onChunk: () => {}, onDrain: () => {}, onClose: () => told.push(name) })
    carrier.attach(reader("first"))
    carrier.close(undefined)
    carrier.resume()
    await turn()
    expect(told).toEqual(["first"])
    carrier.attach(reader("second"))
    await turn()
    carrier.pause()
    carrier.resume()
    await turn()
    expect(told).toEqual(["first", "second"])
  })
})
