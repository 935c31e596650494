import { spawn } from "node:child_process"
import { once } from "node:events"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { millrace } from "../support/program.ts"
import { makeDirectory, type NodeProcess, run, start, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
  const input = Array.from({ length: 2000 }, (_, i) => `stored ${i + 1}`).join("\n")
  await run(["publish", "history/a", "--lines"], { cwd, input })
})
afterAll(() => node.command.stop())

describe("subscribe", () => {
  it("replays what is stored, says live, and goes on with what comes", async () => {
    const subscriber = start(["subscribe", "history/#", "--from", "start"], { cwd })
    await subscriber.until(({ stderr }) => stderr === "live\n")
    await subscriber.until(({ stdout }) => stdout.endsWith("stored 2000\n"))
    await run(["publish", "history/b", "now"], { cwd })
    await subscriber.until(({ stdout }) => stdout.endsWith("stored 2000\nnow\n"))
    const outcome = await subscriber.stop("SIGTERM")
    expect(outcome.code).toBe(0)
    expect(outcome.stdout.split("\n")).toHaveLength(2002)
  })

  it("starts at the end unless told otherwise", async () => {
    const subscriber = start(["subscribe", "fresh", "--json"], { cwd })
    await subscriber.until(({ stderr }) => stderr === "live\n")
    await run(["publish", "fresh", "one"], { cwd })
    await subscriber.until(({ stdout }) => stdout.endsWith("\n"))
    expect(JSON.parse(subscriber.stdout)).toMatchObject({ topic: "fresh", offset: 1, text: "one" })
    expect((await subscriber.stop("SIGINT")).code).toBe(0)
  })

  it("starts at an offset of this node's own log, or of the one that --origin names", async () => {
    for (const origin of [[], ["--origin", "tenant/default/device"]]) {
      const outcome = await run(["subscribe", "history/a", "--from", "1999", "--limit", "2", ...origin], { cwd })
      expect(outcome).toMatchObject({ code: 0, stdout: "stored 1999\nstored 2000\n" })
    }
  })

  it("ends quietly when its reader has gone", async () => {
    const shell = spawn(
      "bash",
      [
        "-c",
        `"$0" "$1" subscribe history/a --from start | head -n 1; echo "\${PIPESTATUS[0]}"`,
        process.execPath,
        millrace,
      ],
      { cwd, stdio: ["ignore", "pipe", "pipe"] },
    )
    let [stdout, stderr] = ["", ""]
    shell.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()))
    shell.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()))
    // It learns of it with the next message that it prints.
    const publisher = setInterval(() => void run(["publish", "history/a", "more"], { cwd }), 1000)
    await once(shell, "close")
    clearInterval(publisher)
    expect(stdout).toBe("stored 1\n0\n")
    expect(stderr.replace("live\n", "")).toBe("")
  })

  it("ends at the second signal where its reader takes nothing", async () => {
    const input = `${"x".repeat(1000)}\n`.repeat(3000)
    await run(["publish", "large", "--lines"], { cwd, input })
    const subscriber = spawn(process.execPath, [millrace, "subscribe", "large", "--from", "start"], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    })
    await once(subscriber.stdout, "readable")
    const ended = once(subscriber, "exit")
    const signals = setInterval(() => subscriber.kill("SIGTERM"), 100)
    const [code] = (await ended) as [number]
    clearInterval(signals)
    expect(code).toBe(143)
    subscriber.stdout.destroy()
  })

  it("fails at once where there is no node", async () => {
    const outcome = await run(["subscribe", "a", "--url", "grpc://127.0.0.1:1"], { cwd })
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/^millrace: no node answers at grpc:\/\/127\.0\.0\.1:1[^\n]*\n$/)
  })
})
