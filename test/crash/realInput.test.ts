/**
 * Real input through the command line: the lines of a large source file go in and come back byte for byte, also where
 * the daemon is killed in the middle.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import { check, format, type Seen } from "../../src/testing/history.ts"
import * as Daemon from "./Daemon.ts"
import { millrace } from "../support/program.ts"
import * as Program from "./Program.ts"

/** Some 20,000 lines: empty ones, equal ones, some that are not ASCII. */
const input = readFileSync(new URL("../../node_modules/effect/src/Schema.ts", import.meta.url))
const lines = input.toString("utf8").split("\n").slice(0, -1)
const half = Math.floor(lines.length / 2)
const topic = "lines"
const log = { topic, origin: defaultNodeId }

/** The bytes from a line on; lines are counted from 0. */
const bytesFrom = (line: number): Buffer => {
  let start = 0
  for (let i = 0; i < line; i++) start = input.indexOf(0x0a, start) + 1
  return input.subarray(start)
}

const sections = (count: number): ReadonlyArray<Buffer> => {
  const starts = Array.from(
    { length: count },
    (_, i) => input.length - bytesFrom(Math.floor((i * lines.length) / count)).length,
  )
  return starts.map((start, i) => input.subarray(start, starts[i + 1] ?? input.length))
}

interface Printed {
  readonly offset: number
  readonly id: string
  readonly deleted: boolean
  readonly text?: string
}

const parse = (stdout: Buffer): ReadonlyArray<Printed> =>
  stdout
    .toString("utf8")
    .split("\n")
    .slice(0, -1)
    .map((line): Printed => JSON.parse(line))

/** Equal lines are different messages: line n is to be at offset n, and is what it should be there or is not. */
const contentOf = ({ offset, text }: Printed): string =>
  text === lines[offset - 1] ? `line ${offset}` : `not line ${offset}: ${text}`

const seenOf = (printed: Printed): Seen => {
  const { offset, id, deleted } = printed
  return { ...log, offset, id, deleted, content: contentOf(printed) }
}

/** What was acknowledged, stored and read, as printed with `--json`, to the history checker. */
const verdictOf = (acknowledged: Buffer, stored: Buffer, read = stored): string =>
  format(
    check({
      writes: parse(acknowledged).map(({ offset }, i) => ({
        ...log,
        writer: "publish",
        content: `line ${i + 1}`,
        outcome: "ok",
        offset,
      })),
      deletions: [],
      final: parse(stored).map(seenOf),
      reads: [
        {
          reader: "subscribe",
          seen: parse(read).map(seenOf),
          expected: new Map([[LogId.key(log), { firstMin: 1, firstMax: 1, last: lines.length }]]),
        },
      ],
    }),
  )

const clean = "0 lost, 0 duplicate, 0 gap, 0 reordered, 0 phantom, 0 divergent, 0 undone, 0 stuck"

const commands = ({ url }: Daemon.Daemon) => {
  const subscribe = (from: string, limit: number, ...flags: ReadonlyArray<string>) =>
    Program.start([millrace, "subscribe", topic, "--from", from, "--limit", `${limit}`, "--url", url, ...flags])
  return {
    publish: Program.start([millrace, "publish", topic, "--lines", "--key-prefix", "P", "--json", "--url", url]),
    all: subscribe("start", lines.length),
    allAsJson: subscribe("start", lines.length, "--json"),
    secondHalf: subscribe(`${half + 1}`, lines.length - half),
    fetchAll: Program.run([millrace, "fetch", topic, "--all", "--json", "--url", url]),
  }
}

/** The whole output of a command that ends by itself, and well. */
const outputOf = (program: Program.Program) =>
  Effect.map(program.ended, ({ code }) => {
    expect(program.stderr.replace(/^live\n/, "")).toBe("")
    expect(code).toBe(0)
    return program.stdout
  })

describe("20,000 real lines", () => {
  it("are real", () => {
    expect(lines.length).toBeGreaterThan(5_000)
    expect(lines.length).toBeGreaterThan(new Set(lines).size)
    expect(input.at(-1)).toBe(0x0a)
  })

  it.live(
    "go in by publish --lines and come back by subscribe byte for byte, from the start and from half-way",
    () =>
      Effect.gen(function* () {
        const daemon = yield* Daemon.make()
        yield* daemon.start
        const { publish, all, secondHalf, fetchAll } = commands(daemon)
        const publisher = yield* publish
        publisher.write(input)
        publisher.closeInput()
        const acknowledged = yield* outputOf(publisher)
        const subscribers = yield* Effect.all([all, secondHalf])
        const [whole, second] = yield* Effect.all(subscribers.map(outputOf), { concurrency: "unbounded" })
        expect(whole!.equals(input)).toBe(true)
        expect(second!.equals(bytesFrom(half))).toBe(true)
        expect(verdictOf(acknowledged, (yield* fetchAll).stdout)).toBe(clean)
        expect((yield* daemon.stop).code).toBe(0)
      }),
    120_000,
  )

  it.live(
    "come once each, in order and byte for byte, while the daemon is killed in the middle again and again",
    () =>
      Effect.gen(function* () {
        const daemon = yield* Daemon.make()
        yield* daemon.start
        const { publish, all, allAsJson, secondHalf, fetchAll } = commands(daemon)
        // They follow from before the first line is there to after the last kill.
        const subscribers = yield* Effect.all([all, secondHalf, allAsJson])
        yield* Effect.forEach(subscribers, (subscriber) => subscriber.until(({ stderr }) => stderr.includes("live\n")))
        const publisher = yield* publish
        const [first, ...rest] = sections(5)
        publisher.write(first!)
        for (const section of rest) {
          const before = publisher.stdoutBytes
          publisher.write(section)
          yield* publisher.until(({ stdoutBytes }) => stdoutBytes > before)
          yield* daemon.kill
          yield* daemon.start
        }
        publisher.closeInput()
        expect((yield* publisher.ended).code).toBe(0)
        const ended = yield* Effect.forEach(subscribers, (subscriber) => subscriber.ended, { concurrency: "unbounded" })
        const [whole, second, read] = subscribers.map(({ stdout }) => stdout)
        expect(whole!.equals(input)).toBe(true)
        expect(second!.equals(bytesFrom(half))).toBe(true)
        expect(ended.map(({ code }) => code)).toEqual([0, 0, 0])
        expect(verdictOf(publisher.stdout, (yield* fetchAll).stdout, read!)).toBe(clean)
        // The kills did hit: lines were on their way, and subscribers lost their connection.
        expect(publisher.stderr).toMatch(/repeating from line \d+/)
        for (const { stderr } of subscribers) expect(stderr).toMatch(/connected to \S+ again/)
        expect((yield* daemon.stop).code).toBe(0)
      }),
    120_000,
  )
})
