import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
  await run(["publish", "words", "--lines"], { cwd, input: "one\ntwo\nthree\n" })
})

const millrace = (...args: ReadonlyArray<string>) => run(args, { cwd })

describe("backup", () => {
  it("writes the store of the node that runs in this directory to a file, which becomes a store", async () => {
    const taken = await millrace("backup", "taken.sqlite")
    expect(taken).toMatchObject({ code: 0, stderr: "" })
    expect(taken.stdout).toMatch(/^taken.sqlite: \S+ KiB, a backup of millrace-data\/millrace.sqlite\n$/)
    expect((await millrace("doctor", "taken.sqlite")).code).toBe(0)
    const again = await millrace("backup", "taken.sqlite")
    expect(again).toMatchObject({
      code: 1,
      stderr: "millrace: taken.sqlite exists already, and is not replaced unless forced\n",
    })
    expect((await millrace("backup", "taken.sqlite", "--force")).code).toBe(0)

    const restored = makeDirectory()
    mkdirSync(join(restored, "millrace-data"))
    copyFileSync(join(cwd, "taken.sqlite"), join(restored, "millrace-data/millrace.sqlite"))
    const other = await startNode(restored)
    expect((await run(["fetch", "words"], { cwd: restored })).stdout).toBe("one\ntwo\nthree\n")
    const incarnations = await Promise.all(
      [cwd, restored].map(async (cwd) => {
        const { stdout } = await run(["health", "--json"], { cwd })
        return (JSON.parse(stdout) as { readonly incarnation: string }).incarnation
      }),
    )
    expect(incarnations[0]).not.toBe(incarnations[1])
    await other.command.stop()
  })

  it("takes it over the network with --url, and doctor examines it there", async () => {
    const elsewhere = makeDirectory()
    const url = node.report["grpc"]!
    const examined = await run(["doctor", "--url", url], { cwd: elsewhere })
    expect(examined).toMatchObject({ code: 0, stderr: "" })
    expect(examined.stdout).toMatch(
      /^the store of \S+: node tenant\/default\/device, 1 log, 3 messages, .*\nhealthy\n$/,
    )
    const taken = await run(["backup", "taken.sqlite", "--json"], { cwd: elsewhere, env: { MILLRACE_URL: url } })
    expect(taken).toMatchObject({ code: 0, stderr: "" })
    expect(JSON.parse(taken.stdout)).toMatchObject({ backup: "taken.sqlite", of: `the store of ${url}` })
    expect((await run(["doctor", "taken.sqlite"], { cwd: elsewhere })).code).toBe(0)
  })

  it("leaves nothing where no node answers", async () => {
    const lost = await millrace("backup", "nothing.sqlite", "--url", "grpc://127.0.0.1:1")
    expect(lost.code).toBe(1)
    expect(lost.stderr).toMatch(/^millrace: no node answers at grpc:\/\/127\.0\.0\.1:1: .*\n$/)
    expect(existsSync(join(cwd, "nothing.sqlite"))).toBe(false)
    expect((await millrace("backup", "x.sqlite", "--from", "nowhere")).code).toBe(2)
  })
})
