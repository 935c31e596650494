/** `sync status` and `doctor resolve` beside real nodes. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, start, startNode } from "./program.ts"

const objects = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const readyz = async ({ report }: NodeProcess): Promise<string> => (await fetch(`${report["admin"]}/readyz`)).text()

const publish = (cwd: string, count: number, word: string) =>
  run(["publish", "orders", "--lines"], {
    cwd,
    input: Array.from({ length: count }, (_, i) => `${word} ${i}\n`).join(""),
  })

/** Asks again until the answer is as it should be. */
const until = async <A>(ask: () => Promise<A>, isSo: (answer: A) => boolean): Promise<A> => {
  while (true) {
    const answer = await ask()
    if (isSo(answer)) return answer
  }
}

describe("sync status and doctor resolve", () => {
  it("say what is wrong with how they were called", async () => {
    const cwd = makeDirectory()
    const socket = await run(["sync", "status", "--url", "unix:/nowhere"], { cwd })
    expect(socket).toMatchObject({ code: 2, stdout: "" })
    expect(socket.stderr).toBe(
      "millrace: peers are asked about over gRPC, not over a socket: give --url grpc://HOST:PORT\n",
    )
    const nobody = await run(["doctor", "resolve", "a@b/c/d", "--keep", "local", "--url", "grpc://127.0.0.1:1"], {
      cwd,
    })
    expect(nobody).toMatchObject({ code: 1, stdout: "" })
    expect(nobody.stderr).toMatch(/^millrace: no node answers at grpc:\/\/127\.0\.0\.1:1: .*\n$/)
    const log = await run(["doctor", "resolve", "orders", "--keep", "local"], { cwd })
    expect(log).toMatchObject({ code: 2, stdout: "" })
    expect(log.stderr).toMatch(
      /^millrace: a log is written topic@tenant\/line\/device, as heads prints it, not "orders"\n$/,
    )
  })

  it("show how two nodes come in step, and what is to be done where their copies differ", async () => {
    const [here, there] = [makeDirectory(), makeDirectory()]
    const first = await startNode(there, ["--node", "t/l/there"])
    const url = first.report["grpc"]!
    await publish(there, 200, "first")
    const alone = await run(["sync", "status", "--watch"], { cwd: there })
    expect(alone).toMatchObject({ code: 0, stderr: "" })
    expect(alone.stdout).toBe("t/l/there has no peers: it gets nothing from other nodes (see millrace serve --peer)\n")
    const node = await startNode(here, ["--node", "t/l/here", "--peer", url, "--sync-interval", "100ms"])

    // In step: whoever waited for it can go on.
    const watched = await run(["sync", "status", "--watch"], { cwd: here })
    expect(watched).toMatchObject({ code: 0, stderr: "" })
    expect(watched.stdout).toMatch(new RegExp(`^PEER .*\\n${url} +t/l/there .* in step +0 +\\d+ s ago +1 +0\\n$`))
    expect(await readyz(node)).toBe("READY\n")

    // Nobody there: the node is ready all the same, and says it.
    await first.command.stop("SIGKILL")
    const failing = await until(
      () => readyz(node),
      (answer) => answer.includes("failing"),
    )
    expect(failing).toMatch(
      new RegExp(`^READY\\npeer ${url} has been failing since [\\dTZ:.-]+: no node answers at .*\\n$`),
    )
    const waiting = start(["sync", "status", "--watch"], { cwd: here })
    await waiting.until(({ stderr }) => stderr.includes(`peer ${url} has been failing since`))

    // It comes back with another disk, and with other messages under the same offsets.
    rmSync(join(there, "millrace-data"), { recursive: true })
    const port = new URL(url).port
    const second = start(["serve", "--node", "t/l/there", "--grpc", `127.0.0.1:${port}`, "--admin", "off"], {
      cwd: there,
    })
    await second.until(({ stdout }) => stdout.includes("ready"))
    expect((await waiting.ended).stdout).toMatch(/ in step /)
    await publish(there, 210, "second")
    const remarked = await until(
      () => readyz(node),
      (answer) => answer.includes("quarantined"),
    )
    expect(remarked).toMatch(/^READY\n1 log is quarantined, because they differ here and at the peer .*\n$/)
    const differing = await run(["sync", "status"], { cwd: here })
    expect([differing.code, differing.stderr]).toEqual([1, `millrace: something is wrong with ${url}\n`])
    expect(differing.stdout).toMatch(/ in conflict .* 1\n\norders@t\/l\/there of .*; quarantined since .*: .*\n/)
    expect(differing.stdout).toContain("millrace doctor resolve orders@t/l/there --keep local|peer\n")

    // What would be lost is said, and not lost by chance.
    const resolve = (...args: ReadonlyArray<string>) =>
      run(["doctor", "resolve", "orders@t/l/there", ...args], { cwd: here })
    const asked = await resolve("--keep", "peer")
    expect([asked.code, asked.stderr]).toEqual([
      2,
      "millrace: this would throw away up to 200 messages here: say --yes if that is meant\n",
    ])
    const nobody = await resolve("--keep", "peer", "--yes", "--peer", "grpc://x:1")
    expect([nobody.code, nobody.stderr]).toEqual([1, "millrace: this node has no peer grpc://x:1\n"])

    // Kept: no alarm any more, and what is here stays.
    const kept = await resolve("--keep", "local")
    expect(kept).toMatchObject({ code: 0, stderr: "" })
    expect(kept.stdout).toBe(`orders@t/l/there: kept what is here; what ${url} has is not taken\n`)
    expect(await readyz(node)).toBe("READY\n")
    const known = await run(["sync", "status", "--json", "--all"], { cwd: here })
    expect([known.code, known.stderr]).toEqual([0, ""])
    const [peer, log] = objects(known.stdout)
    expect(peer).toMatchObject({ kind: "peer", peer: url, node: "t/l/there", state: "in step", accepted: 200 })
    expect(log).toMatchObject({ kind: "log", topic: "orders", origin: "t/l/there", quarantine: { kept: true } })

    // Whoever thinks better of it takes the peer's.
    const taken = await resolve("--keep", "peer", "--yes")
    expect(taken).toMatchObject({ code: 0, stderr: "" })
    expect(taken.stdout).toBe(
      `orders@t/l/there: threw away 200 messages, from offset 1 on; took 210 messages of ${url}, up to offset 210\n`,
    )
    expect((await run(["fetch", "orders", "--origin", "t/l/there", "--all"], { cwd: here })).stdout).toBe(
      Array.from({ length: 210 }, (_, i) => `second ${i}\n`).join(""),
    )
    const again = await resolve("--keep", "peer", "--yes")
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/orders@t\/l\/there is not quarantined/)])
    await Promise.all([second.stop(), node.command.stop()])
  })
})
