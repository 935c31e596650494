import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, start, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
})
afterAll(() => node.command.stop())

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join("")

const publish = (topic: string, from: number, to: number) =>
  run(["publish", topic, "--lines"], { cwd, input: numbers(from, to) })

const list = async () => {
  const { stdout } = await run(["cursor", "list", "--json"], { cwd })
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe("subscribe --cursor", () => {
  it("goes on where it was, across --limit and interruptions", async () => {
    await publish("jobs", 1, 5000)
    const subscribe = ["subscribe", "jobs", "--cursor", "mails"]
    const first = await run([...subscribe, "--limit", "3"], { cwd })
    expect(first).toMatchObject({ code: 0, stdout: numbers(1, 3) })
    // What --from says is for a new cursor only.
    const second = start([...subscribe, "--from", "end"], { cwd })
    await second.until(({ stdout }) => stdout.endsWith("\n5000\n"))
    const ended = await second.stop("SIGINT")
    expect(ended).toMatchObject({ code: 0, stdout: numbers(4, 5000) })
    await publish("jobs", 5001, 5001)
    expect(await run([...subscribe, "--limit", "1"], { cwd })).toMatchObject({ code: 0, stdout: "5001\n" })
    expect(await list()).toMatchObject([{ cursor: "mails", filter: "jobs", lag: 0, held: false }])
  })

  it("begins a new cursor at the start, or where --from says", async () => {
    await publish("begins", 1, 3)
    const outcome = await run(["subscribe", "begins", "--cursor", "late", "--from", "3", "--limit", "1"], { cwd })
    expect(outcome).toMatchObject({ code: 0, stdout: "3\n" })
    const missing = await run(["subscribe", "begins", "--cursor", "later", "--from", "9"], { cwd })
    expect(missing.code).toBe(2)
    expect(missing.stderr).toBe(
      "millrace: a cursor begins at a message that is stored, and offset 9 is still to come\n",
    )
  })

  it("is refused where somebody has the cursor, and where it was made for another filter", async () => {
    const holder = start(["subscribe", "held", "--cursor", "mine"], { cwd })
    await holder.until(({ stderr }) => stderr === "live\n")
    const taken = await run(["subscribe", "held", "--cursor", "mine"], { cwd })
    expect(taken).toMatchObject({ code: 1, stderr: 'millrace: the cursor "mine" is held by somebody else\n' })
    const other = await run(["subscribe", "other", "--cursor", "mine"], { cwd })
    expect(other.code).toBe(1)
    await holder.stop("SIGTERM")
    const mismatch = await run(["subscribe", "other", "--cursor", "mine"], { cwd })
    expect(mismatch.code).toBe(2)
    expect(mismatch.stderr).toBe(
      'millrace: the cursor "mine" was made for "held", not for "other": take another name, or delete the cursor first\n',
    )
  })

  it("takes it from its holder where it is told to", async () => {
    await publish("wanted", 1, 2)
    const holder = start(["subscribe", "wanted", "--cursor", "wanted"], { cwd })
    await holder.until(({ stdout }) => stdout === numbers(1, 2))
    await publish("other", 1, 1)
    const next = start(["subscribe", "wanted", "--cursor", "wanted", "--take-over"], { cwd })
    const ended = await holder.ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('millrace: the cursor "wanted" was taken over by somebody else\n')
    await publish("wanted", 3, 3)
    await next.until(({ stdout }) => stdout === "3\n")
    await next.stop("SIGINT")
    const without = await run(["subscribe", "wanted", "--take-over"], { cwd })
    expect(without).toMatchObject({ code: 2, stderr: "millrace: --take-over goes with --cursor\n" })
  })

  it("whose cursor is reset ends, says so, and begins from there the next time", async () => {
    await publish("again", 1, 3)
    const subscribe = ["subscribe", "again", "--cursor", "again"]
    const holder = start(subscribe, { cwd })
    await holder.until(({ stdout }) => stdout === numbers(1, 3))
    expect(await run(["cursor", "reset", "again"], { cwd })).toMatchObject({ code: 0, stdout: "" })
    expect(await holder.ended).toMatchObject({ code: 1, stderr: 'live\nmillrace: the cursor "again" was reset\n' })
    expect((await run([...subscribe, "--limit", "3"], { cwd })).stdout).toBe(numbers(1, 3))
  })
})

describe("cursor", () => {
  it("lists, resets and deletes", async () => {
    await publish("plain", 1, 4)
    await run(["subscribe", "plain", "--cursor", "plain", "--limit", "4"], { cwd })
    expect((await run(["cursor", "list"], { cwd })).stdout).toMatch(/^plain plain 0 behind$/m)
    const position = (await list()).find(({ cursor }) => cursor === "plain")?.["position"]
    await run(["cursor", "reset", "plain", "--to", String(Number(position) - 1)], { cwd })
    expect((await run(["cursor", "list"], { cwd })).stdout).toMatch(/^plain plain 1 behind$/m)
    expect(await run(["cursor", "delete", "plain"], { cwd })).toMatchObject({ code: 0, stdout: "" })
    const gone = await run(["cursor", "delete", "plain"], { cwd })
    expect(gone).toMatchObject({ code: 1, stderr: 'millrace: there is no cursor "plain"\n' })
  })
})
