import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, start, startNode } from "./program.ts"

/** Lines of all lengths, of any bytes but the newline. */
const binaryLines = (count: number): Buffer => {
  const bytes = randomBytes(count * 40)
  return Buffer.from(bytes.map((byte, index) => (index % 37 === 0 ? 0x0a : byte)))
}

describe("publish --lines", () => {
  const cwd = makeDirectory()
  let node: NodeProcess
  beforeAll(async () => {
    node = await startNode(cwd)
  })
  afterAll(() => node.command.stop())

  it("takes bytes in and gives the same bytes back, in order", async () => {
    const input = Buffer.concat([binaryLines(10_000), Buffer.from("\n\n\r\n\0\nlast")])
    const lines = input.filter((byte) => byte === 0x0a).length + 1
    const published = await run(["publish", "bytes", "--lines"], { cwd, input })
    expect(published).toMatchObject({
      code: 0,
      stdout: `${lines} lines stored in bytes@tenant/default/device, the last one at offset ${lines}\n`,
      stderr: "",
    })
    const expected = Buffer.concat([input, Buffer.from("\n")])
    const fetched = await run(["fetch", "bytes", "--all"], { cwd })
    expect(fetched.bytes.equals(expected)).toBe(true)
    const subscribed = await run(["subscribe", "bytes", "--from", "start", "--limit", String(lines)], { cwd })
    expect(subscribed.bytes.equals(expected)).toBe(true)
    const half = await run(["subscribe", "bytes", "--from", String(lines - 3), "--limit", "4"], { cwd })
    expect(half.stdout).toBe("\n\r\n\0\nlast\n")
  })

  it("acknowledges each line with --json, as it is stored", async () => {
    const command = start(["publish", "slowly", "--lines", "--json"], { cwd })
    const acknowledged = () => command.stdout.split("\n").slice(0, -1)
    command.write("first\n")
    await command.until(() => acknowledged().length === 1)
    command.write("second\n\nfour")
    await command.until(() => acknowledged().length === 3)
    command.closeInput()
    expect((await command.ended).code).toBe(0)
    expect(acknowledged().map((line) => (JSON.parse(line) as { offset: number }).offset)).toEqual([1, 2, 3, 4])
  })

  it("stores no line for empty input", async () => {
    expect(await run(["publish", "empty", "--lines"], { cwd })).toMatchObject({ code: 0, stdout: "0 lines stored\n" })
  })

  it("gives line n the key P:n, so that the same input can be repeated", async () => {
    const input = Array.from({ length: 3000 }, (_, i) => `line ${i}`).join("\n")
    const publish = () => run(["publish", "twice", "--lines", "--key-prefix", "run1"], { cwd, input })
    const first = await publish()
    expect(first.stdout).toContain("3000 lines stored in twice@tenant/default/device, the last one at offset 3000")
    expect((await publish()).stdout).toBe(first.stdout)
    expect((await run(["publish", "twice", "line 4", "--key", "run1:5"], { cwd })).stdout).toBe(
      "twice@tenant/default/device 5\n",
    )
  })

  it("stores the lines before one that is refused, and names it", async () => {
    await run(["publish", "refused", "other", "--key", "p:4"], { cwd })
    const outcome = await run(["publish", "refused", "--lines", "--key-prefix", "p"], { cwd, input: "1\n2\n3\n4\n5\n" })
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/^millrace: line 4: .*; lines 1 to 3 are stored\n$/)
    expect((await run(["fetch", "refused"], { cwd })).stdout).toBe("other\n1\n2\n3\n")
  })

  it("names a line that is too long", async () => {
    const input = Buffer.concat([Buffer.from("short\n"), Buffer.alloc(3_700_000, "x"), Buffer.from("\n")])
    const outcome = await run(["publish", "long", "--lines"], { cwd, input })
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/^millrace: line 2: .*\n$/)
    expect((await run(["fetch", "long"], { cwd })).stdout).toBe("short\n")
  })

  it("says how far it came when it is interrupted", async () => {
    const command = start(["publish", "broken-off", "--lines", "--json"], { cwd })
    command.write("one\ntwo\n")
    await command.until(({ stdout }) => stdout.split("\n").length === 3)
    const outcome = await command.stop("SIGINT")
    expect(outcome).toMatchObject({ code: 130, stderr: "interrupted: lines 1 to 2 are stored\n" })
  })

  it("does not start without a node", async () => {
    const elsewhere = makeDirectory()
    for (const keys of [[], ["--key-prefix", "p"]]) {
      const outcome = await run(["publish", "a", "--lines", "--url", "grpc://127.0.0.1:1", ...keys], {
        cwd: elsewhere,
        input: "a\nb\n",
      })
      expect(outcome.code).toBe(1)
      expect(outcome.stderr).toMatch(/^millrace: no node answers at grpc:\/\/127\.0\.0\.1:1[^\n]*\n$/)
    }
  })
})

describe("publish --lines, when the node goes away", () => {
  it("repeats what was not acknowledged where lines have keys: each line is stored once, in order", async () => {
    const cwd = makeDirectory()
    const first = await startNode(cwd)
    const listeners = ["--grpc", first.report["grpc"]!.slice("grpc://".length), "--admin", "off"]
    const subscriber = start(["subscribe", "log", "--from", "start"], { cwd })
    const publisher = start(["publish", "log", "--lines", "--key-prefix", "k"], { cwd })
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`)
    publisher.write(lines.slice(0, 10_000).join(""))
    await subscriber.until(({ stdout }) => stdout.length > 1000)
    await first.command.stop("SIGKILL")
    publisher.write(lines.slice(10_000).join(""))
    publisher.closeInput()
    await publisher.until(({ stderr }) => stderr.includes("repeating from line"))
    await subscriber.until(({ stderr }) => stderr.includes("trying again"))
    const second = start(["serve", ...listeners], { cwd })

    const published = await publisher.ended
    expect(published).toMatchObject({
      code: 0,
      stdout: "20000 lines stored in log@tenant/default/device, the last one at offset 20000\n",
    })
    expect(published.stderr.match(/repeating from line/g)).toHaveLength(1)
    await subscriber.until(({ stdout }) => stdout.endsWith("line 19999\n"))
    const subscribed = await subscriber.stop("SIGINT")
    expect(subscribed.code).toBe(0)
    expect(subscribed.stdout).toBe(lines.join(""))
    expect(subscribed.stderr).toMatch(/^live\n[^\n]*trying again\n[^\n]*again\n$/)
    expect((await second.stop()).code).toBe(0)
  })

  it("ends where lines have no keys, and says what is stored and what is unknown", async () => {
    const cwd = makeDirectory()
    const { command } = await startNode(cwd)
    const publisher = start(["publish", "log", "--lines", "--json"], { cwd })
    publisher.write("one\ntwo\n")
    await publisher.until(({ stdout }) => stdout.split("\n").length === 3)
    await command.stop("SIGKILL")
    publisher.write("three\n")
    const outcome = await publisher.ended
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/^millrace: [^\n]*; lines 1 to 2 are stored(, line 3 is perhaps)?\n$/)
  })
})

describe("a node that is told to stop", () => {
  it("answers the publishes in flight, and exits 0 within the drain time", async () => {
    const cwd = makeDirectory()
    const node = await startNode(cwd)
    const publishers = Array.from({ length: 2 }, (_, index) =>
      start(["publish", `load/${index}`, "--lines", "--json"], { cwd }),
    )
    const load = "x".repeat(100).concat("\n").repeat(100)
    const timers = publishers.map((publisher) => setInterval(() => publisher.write(load), 10))
    await Promise.all(publishers.map((publisher) => publisher.until(({ stdout }) => stdout.length > 10_000)))
    const stoppedAt = performance.now()
    const outcome = await node.command.stop("SIGTERM")
    expect(outcome.code).toBe(0)
    expect(performance.now() - stoppedAt).toBeLessThan(5000)
    for (const timer of timers) clearInterval(timer)
    const ended = await Promise.all(publishers.map((publisher) => publisher.ended))

    const second = await startNode(cwd)
    const heads = (await run(["heads"], { cwd })).stdout
    for (const [index, publisher] of ended.entries()) {
      expect(publisher.code).toBe(1)
      const acknowledged = publisher.stdout.split("\n").length - 1
      const head = Number(new RegExp(`load/${index}@\\S+ (\\d+)`).exec(heads)?.[1])
      // Not a message more is stored than was acknowledged: nothing was left unanswered.
      expect(head).toBe(acknowledged)
    }
    await second.command.stop()
  })
})
