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

describe("sync status", () => {
  it("says of a node without peers that it has none", async () => {
    const cwd = makeDirectory()
    const { command } = await startNode(cwd)
    const text = await run(["sync", "status"], { cwd })
    expect(text).toMatchObject({ code: 0, stderr: "" })
    expect(text.stdout).toBe(
      "tenant/default/device has no peers: it gets nothing from other nodes (see millrace serve --peer)\n",
    )
    expect(await run(["sync", "status", "--watch", "--json"], { cwd })).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    })
    await command.stop()
  })

  it("says what is wrong with how it was called", async () => {
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
})

describe("two nodes", () => {
  it("are watched until they are in step, and are told apart where their copies differ, until somebody decides", async () => {
    const [here, there] = [makeDirectory(), makeDirectory()]
    const first = await startNode(there, ["--node", "t/l/there"])
    const url = first.report["grpc"]!
    await publish(there, 2000, "first")
    const node = await startNode(here, ["--node", "t/l/here", "--peer", url, "--sync-interval", "100ms"])

    // In step: whoever waited for it can go on.
    const watched = await run(["sync", "status", "--watch"], { cwd: here })
    expect(watched).toMatchObject({ code: 0, stderr: "" })
    expect(watched.stdout).toMatch(new RegExp(`^PEER .*\\n${url} +t/l/there .* in step +0 +0 s ago +1 +0\\n$`))
    const [peer, log] = objects((await run(["sync", "status", "--json", "--all"], { cwd: here })).stdout)
    expect(peer).toMatchObject({
      kind: "peer",
      peer: url,
      node: "t/l/there",
      state: "in step",
      behind: 0,
      accepted: 2000,
    })
    expect(log).toMatchObject({ kind: "log", topic: "orders", origin: "t/l/there", localHead: 2000, remoteHead: 2000 })
    expect(await readyz(node)).toBe("READY\n")
    expect((await run(["stats", "--once", "--interval", "100ms"], { cwd: here })).stdout).toMatch(
      /PEERS 1 [\s\S]* in step\n/,
    )

    // Nobody there: the node is ready all the same, and says it.
    await first.command.stop("SIGKILL")
    const remarked = await until(
      () => readyz(node),
      (answer) => answer.includes("failing"),
    )
    expect(remarked).toMatch(
      new RegExp(`^READY\\npeer ${url} has been failing since [\\dTZ:.-]+: no node answers at .*\\n$`),
    )
    expect((await run(["ready"], { cwd: here })).stdout).toBe("READY t/l/here\n")
    const gone = await run(["sync", "status"], { cwd: here })
    expect([gone.code, gone.stderr]).toEqual([1, `millrace: something is wrong with ${url}\n`])
    expect(gone.stdout).toMatch(/ failing for \d+ s [\s\S]*\n\npeer .* has been failing since .*: no node answers/)

    // Another disk, and other messages under the same offsets: 1,990 of them are here already.
    rmSync(join(there, "millrace-data"), { recursive: true })
    const waiting = start(["sync", "status", "--watch", "--json"], { cwd: here })
    await waiting.until(({ stderr }) => stderr.includes("has been failing since"))
    const port = new URL(url).port
    const second = start(["serve", "--node", "t/l/there", "--grpc", `127.0.0.1:${port}`, "--admin", "off"], {
      cwd: there,
    })
    await second.until(({ stdout }) => stdout.includes("ready"))
    await publish(there, 10, "second")
    const differing = await until(
      () => run(["sync", "status"], { cwd: here }),
      ({ stdout }) => stdout.includes("quarantined since"),
    )
    expect(differing.code).toBe(1)
    expect(differing.stdout).toMatch(/ in conflict .* 1\n\norders@t\/l\/there of .*; quarantined since .*: .*\n/)
    expect(differing.stdout).toContain("millrace doctor resolve orders@t/l/there --keep local|peer\n")
    expect(await readyz(node)).toMatch(/^READY\n1 log is quarantined, because they differ here and at the peer .*\n$/)

    // What would be lost is said, and not lost by chance.
    const asked = await run(["doctor", "resolve", "orders@t/l/there", "--keep", "peer"], { cwd: here })
    expect([asked.code, asked.stderr]).toEqual([
      2,
      expect.stringMatching(/^millrace: this would throw away .* messages here: say --yes if that is meant\n$/),
    ])
    const nobody = await run(
      ["doctor", "resolve", "orders@t/l/there", "--keep", "peer", "--yes", "--peer", "grpc://x:1"],
      { cwd: here },
    )
    expect([nobody.code, nobody.stderr]).toEqual([2, "millrace: this node has no peer grpc://x:1\n"])
    expect((await run(["heads"], { cwd: here })).stdout).toBe("orders@t/l/there 2000\n")

    // Kept: no alarm any more, and what is here stays.
    const kept = await run(["doctor", "resolve", "orders@t/l/there", "--keep", "local"], { cwd: here })
    expect(kept).toMatchObject({ code: 0, stderr: "" })
    expect(kept.stdout).toBe(`orders@t/l/there: kept what is here; what ${url} has is not taken\n`)
    expect(await run(["sync", "status"], { cwd: here })).toMatchObject({ code: 0 })
    expect(await readyz(node)).toBe("READY\n")
    const all = await run(["sync", "status", "--all"], { cwd: here })
    expect(all.stdout).toMatch(/it was decided to keep what is here\n/)

    // Whoever thinks better of it takes the peer's.
    const taken = await run(["doctor", "resolve", "orders@t/l/there", "--keep", "peer", "--yes"], { cwd: here })
    expect(taken).toMatchObject({ code: 0, stderr: "" })
    expect(taken.stdout).toBe(
      `orders@t/l/there: threw away 2,000 messages, from offset 1 on; took 10 messages of ${url}, up to offset 10\n`,
    )
    expect((await run(["fetch", "orders", "--origin", "t/l/there", "--all"], { cwd: here })).stdout).toBe(
      Array.from({ length: 10 }, (_, i) => `second ${i}\n`).join(""),
    )
    expect(objects((await waiting.ended).stdout)[0]).toMatchObject({ state: "in step" })
    const again = await run(["doctor", "resolve", "orders@t/l/there", "--keep", "peer", "--yes"], { cwd: here })
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/orders@t\/l\/there is not quarantined/)])
    await Promise.all([second.stop(), node.command.stop()])
  })
})
