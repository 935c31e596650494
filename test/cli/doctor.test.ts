import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const database = "millrace-data/millrace.sqlite"
const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
  await run(["publish", "words", "--lines"], { cwd, input: "one\ntwo\nthree\n" })
})

const filesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(directory, name))

describe("doctor", () => {
  it("examines the store of the node that runs in this directory, then of the one that was killed", async () => {
    const running = await run(["doctor"], { cwd })
    expect(running).toMatchObject({ code: 0, stderr: "" })
    expect(running.stdout).toMatch(
      /^\S+millrace.sqlite: node tenant\/default\/device, 1 log, 3 messages, \S+ KiB\nhealthy\n$/,
    )

    mkdirSync(join(cwd, "copied"))
    copyFileSync(join(cwd, database), join(cwd, "copied/millrace.sqlite"))
    const copied = await run(["doctor", "copied"], { cwd })
    expect(copied).toMatchObject({ code: 1, stderr: "millrace: 1 problem found in copied/millrace.sqlite\n" })
    expect(copied.stdout).toMatch(/^incomplete: copied\/millrace.sqlite lacks its last commits/)
    const refused = await run(["serve", "--data", "copied", "--grpc", "off", "--admin", "off"], { cwd })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^millrace: \S+millrace.sqlite lacks its last commits.*\n$/)

    await node.command.stop("SIGKILL")
    // What was killed has left its socket, which is no file to read.
    const files = filesIn(join(cwd, "millrace-data"))
    const before = files.map((file) => readFileSync(file).toString("base64"))
    expect(await run(["doctor", "--json"], { cwd })).toMatchObject({ code: 0, stderr: "" })
    expect(await run(["doctor", database], { cwd })).toMatchObject({ code: 0, stderr: "" })
    expect(filesIn(join(cwd, "millrace-data"))).toEqual(files)
    expect(files.map((file) => readFileSync(file).toString("base64"))).toEqual(before)
  })

  it("prints each finding and then the summary as JSON", async () => {
    const elsewhere = makeDirectory()
    const other = await startNode(elsewhere)
    await run(["publish", "words", "one"], { cwd: elsewhere })
    await other.command.stop()
    const beside = new DatabaseSync(join(elsewhere, database))
    beside.exec("UPDATE millrace_logs SET head = 7")
    beside.close()
    const examined = await run(["doctor", "--json"], { cwd: elsewhere })
    expect(examined.code).toBe(1)
    const lines = examined.stdout.split("\n").slice(0, -1)
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
      {
        kind: "head",
        message: "the log words@tenant/default/device ends at offset 1, and 7 is noted as its head",
        topic: "words",
        origin: "tenant/default/device",
        offsets: { first: 2, last: 7 },
        remedy: expect.stringContaining("restore a backup") as string,
      },
      { healthy: false, findings: 1, logs: 1, messages: 1, node: "tenant/default/device" },
    ])
    const refused = await run(["serve", "--grpc", "off", "--admin", "off"], { cwd: elsewhere })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /^millrace: \S+ is damaged: the log words@tenant\/default\/device ends at offset 1, and 7 .*"millrace doctor .*\n$/,
    )
  })

  it("is called wrongly with a path where there is no store", async () => {
    expect(await run(["doctor", "nowhere"], { cwd })).toMatchObject({
      code: 2,
      stderr: "millrace: there is no store at nowhere\n",
    })
    expect((await run(["doctor", database, "--url", "grpc://127.0.0.1:1"], { cwd })).code).toBe(2)
  })
})
