/** `bench exchange`: every row is measured, on a node that runs. */
import { describe, expect, it } from "vitest"
import { makeDirectory, run, startNode } from "./program.ts"

describe("bench exchange", () => {
  it("measures each way of sending, and calls", async () => {
    const directory = makeDirectory()
    const node = await startNode(directory)
    const done = await run(["bench", "exchange", "--workers", "2", "--time", "50ms", "--in-flight", "4", "--json"], {
      cwd: directory,
    })
    await node.command.stop()
    expect(done.stderr).toBe("")
    const rows = done.stdout
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as { readonly name: string; readonly rate: number; readonly unit: string })
    expect(rows.map(({ name }) => name)).toEqual([
      "send, qos no",
      "send and receive, qos no",
      "send, qos processed",
      "send and receive, qos processed",
      "send, qos realtime",
      "send and receive, qos realtime",
      "send, qos realtime processed",
      "send and receive, qos realtime processed",
      "rpc.call of the broker",
      "rpc.call and handle",
    ])
    for (const { rate } of rows) expect(rate).toBeGreaterThan(0)
  })

  it.each([
    [["--workers", "none"], "--workers"],
    [["--time", "soon"], "--time"],
  ])("%j is a usage error", async (flags, named) => {
    const done = await run(["bench", "exchange", "--url", "tcp:127.0.0.1:1", ...flags], { cwd: makeDirectory() })
    expect(done.code).toBe(2)
    expect(done.stderr).toContain(named)
  })
})
