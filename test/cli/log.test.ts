import { describe, expect, it } from "vitest"
import { makeDirectory, startNode } from "./program.ts"

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

  it("is silent below --log-level", async () => {
    const { command } = await startNode(makeDirectory(), ["--log", "json", "--log-level", "warn"])
    expect((await command.stop()).stderr).toBe("")
  })
})
