import { describe, expect, it } from "vitest"
import { makeDirectory, run, start, startNode } from "./program.ts"

const logOf = (stderr: string): ReadonlyArray<Record<string, unknown>> =>
  stderr
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe("serve --log json", () => {
  it("tells on stderr where it runs, and how long starting and stopping took", async () => {
    const { command, report } = await startNode(makeDirectory(), ["--log", "json"])
    const { stderr } = await command.stop()
    expect(logOf(stderr)).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        level: "info",
        message: expect.stringMatching(/^ready in \d+\.\d\d s$/),
        annotations: expect.objectContaining({
          pid: command.process.pid,
          grpc: report["grpc"],
          admin: report["admin"],
        }),
      },
      expect.objectContaining({ level: "info", message: "stopping" }),
      expect.objectContaining({ level: "info", message: expect.stringMatching(/^stopped in \d+\.\d\d s$/) }),
    ])
  })

  it("tells of clients that are turned away", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd, ["--log", "json", "--max-connections", "1"])
    const subscriber = start(["subscribe", "a"], { cwd })
    await subscriber.until(({ stderr }) => stderr.includes("live"))
    expect((await run(["health"], { cwd })).code).toBe(1)
    const metrics = await (await fetch(`${report["admin"]}/metrics`)).text()
    expect(metrics).toMatch(/^millrace_grpc_connections 1$/m)
    expect(metrics).toMatch(/^millrace_grpc_connections_refused_total\{reason="limit"\} [1-9]\d*$/m)
    await subscriber.stop("SIGINT")
    const refusals = logOf((await command.stop()).stderr).filter(({ level }) => level === "warn")
    // Once, however often it tried.
    expect(refusals).toEqual([
      expect.objectContaining({
        message: "a client was refused: there are as many connections as there may be",
        annotations: { peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) },
      }),
    ])
  })

  it("is silent below --log-level", async () => {
    const { command } = await startNode(makeDirectory(), ["--log", "json", "--log-level", "warn"])
    expect((await command.stop()).stderr).toBe("")
  })
})
