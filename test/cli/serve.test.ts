import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { once } from "node:events"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { anyPorts, makeDirectory, type Outcome, run, start, startNode } from "./program.ts"

/** A failed command says one sentence on stderr, and nothing on stdout. */
const expectSentence = (outcome: Outcome, code: number, sentence: RegExp): void => {
  expect(outcome.stderr).toMatch(sentence)
  expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1)
  expect(outcome.stdout).toBe("")
  expect(outcome.code).toBe(code)
}

describe("serve", () => {
  it("says that it is ready in one line that names every endpoint", async () => {
    const cwd = makeDirectory()
    const node = start(["serve", ...anyPorts], { cwd })
    await node.until(({ stdout }) => stdout.includes("\n"))
    expect(node.stdout).toMatch(
      /^millrace ready node=tenant\/default\/device grpc=grpc:\/\/127\.0\.0\.1:\d+ busrt=unix:\S+millrace-data\/millrace\.sock admin=http:\/\/127\.0\.0\.1:\d+ storage=sqlite:\S+ durability=fsync data=\S+\n$/,
    )
    expect((await node.stop()).code).toBe(0)
  })

  it("keeps its data to its owner, and says where it is in endpoints.json while it runs", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd)
    const data = join(cwd, "millrace-data")
    const endpointsFile = join(data, "endpoints.json")
    expect(statSync(data).mode & 0o777).toBe(0o700)
    expect(statSync(endpointsFile).mode & 0o777).toBe(0o600)
    expect(statSync(join(data, "millrace.sqlite")).mode & 0o777).toBe(0o600)
    expect(statSync(join(data, "millrace.sock")).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(endpointsFile, "utf8"))).toMatchObject({
      node: "tenant/default/device",
      pid: command.process.pid,
      grpc: report["grpc"],
      busrt: [`unix:${join(data, "millrace.sock")}`],
      admin: report["admin"],
    })
    expect((await command.stop("SIGINT")).code).toBe(0)
    expect(existsSync(endpointsFile)).toBe(false)
    expect(existsSync(join(data, "millrace.sock"))).toBe(false)
  })

  it("leaves the endpoints.json of another node alone", async () => {
    const cwd = makeDirectory()
    const { command } = await startNode(cwd)
    const endpointsFile = join(cwd, "millrace-data", "endpoints.json")
    const other = readFileSync(endpointsFile, "utf8").replace(/"instance":"[^"]*"/, '"instance":"another"')
    writeFileSync(endpointsFile, other)
    await command.stop()
    expect(readFileSync(endpointsFile, "utf8")).toBe(other)
  })

  it("answers /healthz, /readyz and /metrics", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd)
    const get = (path: string) => fetch(`${report["admin"]}${path}`)
    expect(await (await get("/healthz")).text()).toBe("SERVING\n")
    const readiness = await get("/readyz")
    expect([readiness.status, await readiness.text()]).toEqual([200, "READY\n"])
    expect((await get("/nowhere")).status).toBe(404)
    expect((await fetch(`${report["admin"]}/healthz`, { method: "POST" })).status).toBe(405)

    await run(["publish", "a", "hello"], { cwd })
    const metrics = await (await get("/metrics")).text()
    expect(metrics).toMatch(/^millrace_messages_stored_total 1$/m)
    expect(metrics).toMatch(/^millrace_commits_total 1$/m)
    expect(metrics).toMatch(/^millrace_commit_seconds_count 1$/m)
    expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds \S+$/m)
    expect(metrics).toMatch(/^process_resident_memory_bytes \d+$/m)
    await command.stop()
  })

  it("keeps what it acknowledged over a SIGKILL", async () => {
    const cwd = makeDirectory()
    const first = await startNode(cwd)
    await run(["publish", "a", "kept"], { cwd })
    await first.command.stop("SIGKILL")
    const second = await startNode(cwd)
    expect((await run(["fetch", "a"], { cwd })).stdout).toBe("kept\n")
    expect((await second.command.stop()).code).toBe(0)
  })

  it("says that it is not ready when its store is gone, and takes no more messages", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd)
    const url = ["--url", report["grpc"]!]
    expect((await run(["publish", "a", "before", ...url], { cwd })).code).toBe(0)
    rmSync(join(cwd, "millrace-data"), { recursive: true })
    expectSentence(await run(["publish", "a", "after", ...url], { cwd }), 1, /millrace\.sqlite is gone/)
    expectSentence(await run(["ready", ...url], { cwd }), 1, /millrace\.sqlite is gone/)
    const readiness = await fetch(`${report["admin"]}/readyz`)
    expect([readiness.status, await readiness.text()]).toEqual([
      503,
      expect.stringMatching(/^NOT_READY .*millrace\.sqlite is gone \(since \S+\)\n$/),
    ])
    expect((await command.stop()).code).toBe(0)
  })

  it("keeps messages in memory when told so", async () => {
    const cwd = makeDirectory()
    const { command, report } = await startNode(cwd, ["--storage", "memory:"])
    expect(report).toMatchObject({ storage: "memory:", durability: "memory" })
    await run(["publish", "a", "hello"], { cwd })
    expect((await run(["fetch", "a"], { cwd })).stdout).toBe("hello\n")
    expect((await command.stop()).code).toBe(0)
  })
})

describe("serve refuses to start", () => {
  const cwd = makeDirectory()

  it("on a port that is taken, for either listener", async () => {
    const holder = createServer().listen(0, "127.0.0.1")
    await once(holder, "listening")
    const address = holder.address()
    const taken = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    const [grpc, admin] = await Promise.all([
      run(["serve", "--data", "one", "--grpc", taken, "--admin", "off"], { cwd }),
      run(["serve", "--data", "two", "--grpc", "off", "--admin", taken], { cwd }),
    ])
    holder.close()
    expectSentence(grpc, 1, new RegExp(taken))
    expectSentence(admin, 1, new RegExp(`admin endpoint cannot listen on ${taken}: the address is already in use`))
    expect(existsSync(join(cwd, "one", "endpoints.json"))).toBe(false)
  })

  it("on a data directory that cannot be made", async () => {
    writeFileSync(join(cwd, "file"), "")
    expectSentence(
      await run(["serve", "--data", "file/below", ...anyPorts], { cwd }),
      1,
      /the data directory file\/below cannot be used: a part of the path is not a directory/,
    )
  })

  it.skipIf(!existsSync("/proc/self"))("on a data directory where nothing can be made", async () => {
    expectSentence(
      await run(["serve", "--data", "/proc/millrace", ...anyPorts], { cwd }),
      1,
      /the data directory \/proc\/millrace cannot be used/,
    )
  })

  it("on a file that is not a database, and leaves it as it was", async () => {
    const path = join(cwd, "letter.txt")
    writeFileSync(path, "Dear reader,\n")
    expectSentence(
      await run(["serve", "--storage", `sqlite:${path}`, ...anyPorts], { cwd }),
      1,
      /letter\.txt .*not a .*database/,
    )
    expect(readFileSync(path, "utf8")).toBe("Dear reader,\n")
  })

  it("on a database of a newer format, of another node, and of a node that runs", async () => {
    const { command } = await startNode(cwd, ["--data", "mine", "--node", "a/b/c"])
    expectSentence(
      await run(["serve", "--data", "mine", "--node", "a/b/c", ...anyPorts], { cwd }),
      1,
      new RegExp(`held by .*${command.process.pid}`),
    )
    await command.stop()
    expectSentence(
      await run(["serve", "--data", "mine", "--node", "x/y/z", ...anyPorts], { cwd }),
      1,
      /a\/b\/c.*x\/y\/z|x\/y\/z.*a\/b\/c/,
    )
    const database = new DatabaseSync(join(cwd, "mine", "millrace.sqlite"))
    database.exec("UPDATE millrace_meta SET value = '1000' WHERE name = 'format'")
    database.close()
    expectSentence(
      await run(["serve", "--data", "mine", "--node", "a/b/c", ...anyPorts], { cwd }),
      1,
      /has format 1000/,
    )
  })

  it("beyond this machine without TLS, unless told --insecure", async () => {
    expectSentence(
      await run(["serve", "--grpc", "0.0.0.0:0", "--admin", "off"], { cwd }),
      2,
      /--grpc 0\.0\.0\.0:0 can be reached from other machines and has no TLS/,
    )
    const node = start(["serve", "--data", "open", "--grpc", "0.0.0.0:0", "--admin", "off", "--insecure"], { cwd })
    await node.until(({ stdout }) => stdout.startsWith("millrace ready"))
    expect((await node.stop()).code).toBe(0)
  })

  it.runIf(process.platform === "linux")("runs with settings that keep it small, unless others are given", async () => {
    const settingsOf = async (env: Readonly<Record<string, string>>) => {
      const { command } = await startNode(makeDirectory(), [], { env })
      const read = (file: string) =>
        readFileSync(`/proc/${command.process.pid}/${file}`, "utf8")
          .split("\0")
          .filter((part) => /semi-space|growing|expose-gc|MALLOC_|REEXECUTED/.test(part))
          .toSorted()
      const settings = [...read("cmdline"), ...read("environ")]
      expect((await command.stop()).code).toBe(0)
      return settings
    }
    expect(await settingsOf({})).toEqual([
      "--expose-gc",
      "--heap-growing-percent=30",
      "--max-semi-space-size=2",
      "MALLOC_ARENA_MAX=2",
      "MALLOC_MMAP_THRESHOLD_=500000",
      "MILLRACE_REEXECUTED=1",
    ])
    const env = { NODE_OPTIONS: "--max-semi-space-size=16", MALLOC_ARENA_MAX: "1" }
    expect(await settingsOf(env)).toEqual([
      "--expose-gc",
      "--heap-growing-percent=30",
      "MALLOC_ARENA_MAX=1",
      "MALLOC_MMAP_THRESHOLD_=500000",
      "MILLRACE_REEXECUTED=1",
      "NODE_OPTIONS=--max-semi-space-size=16",
    ])
  })
})
