/** `stats` beside a real node. */
import { describe, expect, it } from "vitest"
import { makeDirectory, run, start, startNode } from "./program.ts"

describe("stats", () => {
  it("shows a table once, lines, or objects, of what happens meanwhile", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd)
    await run(["queue", "enqueue", "jobs", "x"], { cwd })
    const subscriber = start(["subscribe", "a/#"], { cwd })
    await subscriber.until(({ stderr }) => stderr.includes("live"))

    const table = await run(["stats", "--once", "--interval", "200ms"], { cwd })
    expect([table.code, table.stderr]).toEqual([0, ""])
    for (const line of table.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80)
    expect(table.stdout).toMatch(/^tenant\/default\/device {2}READY +up \d+ s\n/)
    expect(table.stdout).toMatch(/\nSUBSCRIPTIONS 1, .*\n {2}a\/# +0 +live\n/)
    expect(table.stdout).toMatch(/\nQUEUES 1, 0 TAKEN .*\n {2}jobs +1 +\d+ s +0\/s +0\/s\n$/)

    const lines = start(["stats", "--interval", "100ms"], { cwd })
    const objects = start(["stats", "--interval", "100ms", "--json"], { cwd })
    await Promise.all([lines, objects].map((running) => running.until(({ stdout }) => stdout.includes("\n"))))
    await run(["publish", "a/b", "--lines"], { cwd, input: "1\n2\n3\n" })
    await lines.until(({ stdout }) => / publishes\/s=[1-9][\d.]* commits\/s=[\d.]+ /.test(stdout))
    const figures = () =>
      objects.stdout
        .trimEnd()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    await objects.until(() => figures().some(({ messages }) => messages.entriesPerSecond > 0))
    expect(figures()[0]).toMatchObject({ node: "tenant/default/device", ready: true, subscriptions: 1 })
    // An interruption is its proper end.
    expect((await lines.stop("SIGINT")).code).toBe(0)

    // A node that goes away and comes back is shown again.
    await command.stop()
    await objects.until(({ stderr }) => stderr.includes("trying again"))
    const port = new URL(report["grpc"]!).port
    const again = start(["serve", "--grpc", `127.0.0.1:${port}`, "--admin", "off"], { cwd })
    const shown = figures().length
    await objects.until(() => figures().length > shown)
    expect((await objects.stop("SIGINT")).code).toBe(0)
    await again.stop()
    await subscriber.stop("SIGINT")
  })

  it("says what is wrong", async () => {
    const cwd = makeDirectory()
    const nobody = await run(["stats", "--once", "--url", "grpc://127.0.0.1:1"], { cwd })
    expect([nobody.code, nobody.stdout, nobody.stderr]).toEqual([1, "", expect.stringMatching(/no node answers at/)])
    const wrong = await run(["stats", "--interval", "often"], { cwd })
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/--interval takes a time from 100ms on, such as 1s, not "often"/),
    ])
  })
})
