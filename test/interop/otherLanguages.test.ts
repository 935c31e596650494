/**
 * A client in another language, as the guide shows it: the Go program of the examples against a real node, over the loss
 * of its connection.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { makeDirectory, run, start, startNode } from "../cli/program.ts"

const source = fileURLToPath(new URL("../../docs/examples/go/", import.meta.url))

const isThere = spawnSync("go", ["version"]).error === undefined

// Where all is checked, it must be there.
describe.skipIf(!isThere && process.env["CI"] !== "true")("the Go client of the guide", () => {
  it("publishes, replays, and follows through a node that is killed and comes back", async () => {
    const program = join(makeDirectory(), "client")
    const build = spawnSync("go", ["build", "-o", program, "."], { cwd: source, encoding: "utf8" })
    expect([build.status, build.stderr]).toEqual([0, expect.any(String)])

    const cwd = makeDirectory()
    const node = await startNode(cwd)
    const grpc = node.report["grpc"]!
    const address = grpc.replace("grpc://", "")
    const client = spawn(program, ["-address", address, "-count", "3", "hello", "good evening"])
    const ended = once(client, "close")
    let printed = ""
    let told = ""
    client.stderr.on("data", (piece: Buffer) => (told += piece.toString()))
    await new Promise<void>((done) => {
      client.stdout.on("data", (piece: Buffer) => {
        printed += piece.toString()
        if (printed.includes("\n2: ")) done()
      })
    })
    await node.command.stop("SIGKILL")
    const again = start(["serve", "--grpc", address, "--admin", "off"], { cwd })
    await again.until(({ stdout }) => stdout.includes("\n"))
    expect((await run(["publish", "greetings", "welcome back", "--url", grpc], { cwd })).code).toBe(0)
    expect([(await ended)[0], printed]).toEqual([0, "1: hello\n2: good evening\n3: welcome back\n"])
    expect(told).toContain("trying again")
    expect((await again.stop()).code).toBe(0)
  }, 240_000)
})
