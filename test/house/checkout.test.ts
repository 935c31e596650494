/**
 * The program of a checkout is its sources as they are: the other tests start one that was built of them
 * (`support/program.ts`).
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory } from "../cli/program.ts"
import { builtDirectory, millrace, root } from "../support/program.ts"

const own = join(root, "bin", "millrace.js")

describe("the program of a checkout", () => {
  it("is not the one that tests start", () => {
    expect(millrace).toBe(join(builtDirectory, "bin", "millrace.js"))
  })

  it("starts a node, and ends it when told to", async () => {
    const args = ["serve", "--data", makeDirectory(), "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    const node = spawn(process.execPath, [own, ...args], { stdio: ["ignore", "pipe", "ignore"] })
    const ended = once(node, "exit")
    let said = ""
    for await (const text of node.stdout) if ((said += text).includes("\n")) break
    expect(said).toMatch(/^millrace ready /)
    node.kill("SIGTERM")
    expect(await ended).toEqual([0, null])
  })
})
