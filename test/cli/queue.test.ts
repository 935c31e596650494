/** The commands for queues, against a real node: what they print, and how they end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
})
afterAll(() => node.command.stop())

const queue = (...args: ReadonlyArray<string>) => run(["queue", ...args], { cwd })
const item = (text: string): Readonly<Record<string, unknown>> => JSON.parse(text) as Readonly<Record<string, unknown>>

describe("queue", () => {
  it("adds items, shows the front, and lets go of it alone", async () => {
    const added = await queue(
      "enqueue",
      "mails",
      "to Ada",
      "--topic",
      "letters",
      "--target",
      "a/b/c",
      "--header",
      "k=v",
    )
    const [, id = ""] = /^([0-9a-f-]{36}) 1\n$/.exec(added.stdout) ?? []
    const second = await run(["queue", "enqueue", "mails", "-", "--json"], { cwd, input: "to Bob\0" })
    expect((await queue("peek", "mails")).stdout).toBe("to Ada\n")
    expect(item((await queue("peek", "mails", "--json")).stdout)).toEqual({
      queue: "mails",
      id,
      sequence: 1,
      attempts: 0,
      topic: "letters",
      source: "tenant/default/device",
      target: "a/b/c",
      createdAt: expect.any(Number) as number,
      headers: { k: "v" },
      text: "to Ada",
    })
    const notFront = await queue("ack", "mails", String(item(second.stdout)["id"]))
    expect(notFront).toMatchObject({ code: 1, stdout: "" })
    expect(notFront.stderr).toMatch(/^millrace: "[^"]+" is not the front of the queue "mails": nothing was changed\n$/)
    expect((await queue("reject", "mails", id)).stdout).toBe("rejected, attempt 1\n")
    expect((await queue("ack", "mails", id)).stdout).toBe("acknowledged\n")
    expect((await queue("peek", "mails")).stdout).toBe("to Bob\0\n")
    expect((await queue("list")).stdout).toContain("mails 1\n")
  })

  it("puts aside what failed too often, and takes it back", async () => {
    const added = await queue("enqueue", "jobs", "poison", "--json")
    const rejected = await queue("reject", "jobs", String(item(added.stdout)["id"]), "--attempts-max", "1")
    expect(rejected.stdout).toBe("rejected, attempt 1: moved to jobs.dead\n")
    expect(await queue("peek", "jobs")).toMatchObject({ code: 1, stderr: 'millrace: the queue "jobs" is empty\n' })
    expect((await queue("peek", "jobs.dead")).stdout).toBe("poison\n")
    expect((await queue("redrive", "jobs")).stdout).toBe("1 moved\n")
    expect((await queue("take", "jobs", "--limit", "1")).stdout).toBe("poison\n")
  })

  it("take prints items in order as they come, and acknowledges them", async () => {
    const taking = queue("take", "work", "--limit", "3")
    for (const payload of ["a", "b", "c", "d"]) await queue("enqueue", "work", payload)
    expect(await taking).toMatchObject({ code: 0, stdout: "a\nb\nc\n", stderr: "" })
    expect((await queue("peek", "work")).stdout).toBe("d\n")
  })

  it("take --exec runs a command for each item, tries again where it fails, and says so", async () => {
    await queue("enqueue", "chores", "sweep")
    const command = `test "$MILLRACE_ATTEMPTS" = 1 && cat`
    const taken = await queue("take", "chores", "--exec", command, "--limit", "1")
    expect(taken).toMatchObject({ code: 0, stdout: "sweep" })
    expect(taken.stderr).toBe("item 1 of chores, attempt 1: the command ended with exit code 1\n")
    expect((await queue("list")).stdout).toContain("chores 0\n")
  })

  it("take --limit counts what is dead as well", async () => {
    await queue("enqueue", "errands", "impossible")
    const taken = await queue("take", "errands", "--exec", "false", "--attempts-max", "2", "--limit", "1")
    expect(taken).toMatchObject({ code: 0, stdout: "" })
    expect(taken.stderr.match(/attempt \d/g)).toEqual(["attempt 1", "attempt 2"])
    expect((await queue("peek", "errands.dead")).stdout).toBe("impossible\n")
  })

  it.each([
    [["enqueue", " ", "x"], "a queue must not be empty or blank"],
    [["enqueue", "q", "x", "--topic", "a/#"], 'a topic must not contain "+" or "#"'],
    [["enqueue", "q", "x", "--target", "a/b"], "a node is written tenant/line/device"],
    [["reject", "q", "id", "--attempts-max", "0"], '--attempts-max takes a whole number from 1 on, not "0"'],
    [["take", "q", "--limit", "none"], '--limit takes a whole number from 1 on, not "none"'],
    [["peak", "q"], 'unknown command "peak"'],
  ])("%j is one sentence and exit code 2", async (args, sentence) => {
    const { code, stderr, stdout } = await queue(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toMatch(/^millrace: [^\n]+\n$/)
    expect(stderr).toContain(sentence)
  })
})
