/**
 * A node says that it is not ready while its disk hangs, after its disk has failed, and when its event loop was held up;
 * and that it is ready when that is over.
 */
import { statfs } from "node:fs/promises"
import { describe, expect, it } from "vitest"
import { Effect } from "effect"
import { makeDirectory, type NodeProcess, run, start, startNode } from "../cli/program.ts"
import * as FsyncFault from "./fsyncFault.ts"
import * as SmallDisk from "./smallDisk.ts"

const mebibyte = 1024 * 1024

const stall = ["--stall-after", "400ms"]

interface Answer {
  readonly status: number
  readonly text: string
}

const readyz = async ({ report }: NodeProcess): Promise<Answer> => {
  const response = await fetch(`${report["admin"]}/readyz`)
  return { status: response.status, text: await response.text() }
}

/** Asks until the answer is as wished. */
const until = async (node: NodeProcess, wanted: (answer: Answer) => boolean): Promise<Answer> => {
  while (true) {
    const answer = await readyz(node)
    if (wanted(answer)) return answer
  }
}
const untilReady = (node: NodeProcess) => until(node, ({ status }) => status === 200)
const untilNotReady = (node: NodeProcess) => until(node, ({ status }) => status === 503)

const since = String.raw`\(since \d{4}-\d\d-\d\dT[\d:.]+Z\)\n`

describe.skipIf(FsyncFault.obstacle !== undefined)("a node whose disk", () => {
  it("hangs in a commit is not ready, and ready again when the disk goes on", async () => {
    const cwd = makeDirectory()
    const fault = await Effect.runPromise(FsyncFault.make(cwd))
    const node = await startNode(cwd, stall, { env: fault.env })
    expect(await untilReady(node)).toEqual({ status: 200, text: "READY\n" })
    fault.set("hold")
    const publish = start(["publish", "a", "hello"], { cwd, input: "" })
    const { text } = await untilNotReady(node)
    expect(text).toMatch(new RegExp(`^NOT_READY a commit has been under way for more than 0.4 s ${since}$`))
    const asked = await run(["ready"], { cwd })
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining("a commit has been under way")])
    expect((await fetch(`${node.report["admin"]}/healthz`)).status).toBe(200)
    fault.set("none")
    expect((await publish.ended).code).toBe(0)
    await untilReady(node)
    expect((await node.command.stop()).code).toBe(0)
  })

  it("failed in a commit is not ready, and ready again when the disk is, without being started again", async () => {
    const cwd = makeDirectory()
    const fault = await Effect.runPromise(FsyncFault.make(cwd))
    const node = await startNode(cwd, stall, { env: fault.env })
    await untilReady(node)
    expect((await run(["publish", "a", "before"], { cwd })).code).toBe(0)
    const subscriber = start(["subscribe", "a", "--from", "start", "--limit", "3"], { cwd, input: "" })
    await subscriber.until(({ stdout }) => stdout === "before\n")
    fault.set("broken")
    const doubtful = await run(["publish", "a", "doubtful", "--key", "k"], { cwd })
    expect([doubtful.code, doubtful.stderr]).toEqual([1, expect.stringContaining("outcome is unknown")])
    const why = "the store stopped writing and is being opened again"
    const { text } = await until(node, ({ text }) => text.includes("so far it cannot be opened"))
    expect(text).toMatch(new RegExp(`^NOT_READY ${why} \\(disk I/O error\\); so far it cannot be opened: .* ${since}$`))
    const refused = await run(["publish", "a", "refused"], { cwd })
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(why)])
    expect((await fetch(`${node.report["admin"]}/healthz`)).status).toBe(200)
    fault.set("none")
    await untilReady(node)
    // What was in doubt is not stored twice, whether it was there or not, and the subscriber was never cut off.
    expect((await run(["publish", "a", "doubtful", "--key", "k"], { cwd })).code).toBe(0)
    expect((await run(["publish", "a", "after"], { cwd })).code).toBe(0)
    expect((await subscriber.ended).stdout).toBe("before\ndoubtful\nafter\n")
    expect((await node.command.stop()).code).toBe(0)
  })
})

describe.skipIf(SmallDisk.obstacle !== undefined)("a node whose disk is full", () => {
  it("is not ready, and ready again when there is room", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const disk = yield* SmallDisk.make(96 * mebibyte)
          yield* Effect.promise(async () => {
            const node = await startNode(makeDirectory(), [...stall, "--data", disk])
            await untilReady(node)
            const freeBytes = async () => (await statfs(disk)).bavail * 4096
            const ballast = SmallDisk.ballast(disk, (await freeBytes()) - mebibyte)
            const input = `${"x".repeat(1000)}\n`.repeat(4000)
            const publish = await run(["publish", "a", "--lines", "--url", node.report["grpc"]!], { cwd: disk, input })
            expect(publish.code).toBe(1)
            expect((await untilNotReady(node)).text).toMatch(/^NOT_READY the disk is full: nothing new is stored until/)
            ballast.remove()
            await untilReady(node)
            expect((await node.command.stop()).code).toBe(0)
          })
        }),
      ),
    ))
})

describe("a node whose event loop", () => {
  it("was held up says so for a while, and is ready again", async () => {
    const node = await startNode(makeDirectory(), stall)
    await untilReady(node)
    node.command.process.kill("SIGSTOP")
    const asked = until(node, ({ text }) => /the event loop (is|was) held up/.test(text))
    setTimeout(() => node.command.process.kill("SIGCONT"), 1500)
    expect((await asked).status).toBe(503)
    await untilReady(node)
    const { code, stderr } = await node.command.stop()
    expect(code).toBe(0)
    expect(stderr).toMatch(/not ready: the event loop .* held up[\s\S]*ready again[\s\S]*stopping[\s\S]*stopped in/)
  })
})
