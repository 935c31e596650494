/** The commands of the live plane, as real programs beside a real node. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, type Running, start, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
let endpoints: ReadonlyArray<string>
beforeAll(async () => {
  node = await startNode(cwd, ["--busrt", "unix:", "--busrt", "tcp:127.0.0.1:0", "--busrt", "ws://127.0.0.1:0"])
  endpoints = node.report["busrt"] as unknown as ReadonlyArray<string>
})
afterAll(() => node.command.stop())

const millrace = (...args: ReadonlyArray<string>) => run(args, { cwd })

const done = { code: 0, stdout: "", stderr: "" }

const listen = async (...args: ReadonlyArray<string>): Promise<Running> => {
  const listener = start(["listen", ...args], { cwd })
  await listener.until(({ stderr }) => stderr.includes("connected as "))
  return listener
}

const objects = (text: string): ReadonlyArray<unknown> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line))

describe("listen", () => {
  it("prints what is sent, broadcast and published, a line each, until its limit", async () => {
    const listener = await listen("--name", "plant1.pump", "--topic", "news/#", "--limit", "4")
    expect(listener.stderr).toBe("connected as plant1.pump\n")
    expect(await millrace("send", "plant1.pump", "hello")).toMatchObject(done)
    expect(await run(["send", "plant1.pump", "-"], { cwd, input: Buffer.from([0xff, 0x00, 0x0a]) })).toMatchObject(done)
    expect(await millrace("broadcast", "plant1.*", "to all")).toMatchObject(done)
    expect(await millrace("publish", "other", "not for it", "--live")).toMatchObject(done)
    expect(await run(["publish", "news/eu", "--live", "--realtime"], { cwd, input: "it rains" })).toMatchObject(done)
    const { bytes, code } = await listener.ended
    expect(bytes).toEqual(Buffer.from("hello\n\xff\x00\n\nto all\nit rains\n", "latin1"))
    expect(code).toBe(0)
  })

  it("prints it as JSON, with who sent it, and what a notification or a call carries", async () => {
    const listener = await listen("--name", "ears", "--topic", "news", "--json", "--limit", "5")
    await millrace("send", "ears", "größe", "--name", "mouth", "--qos", "no")
    await millrace("broadcast", "ears", "", "--name", "mouth")
    await run(["publish", "news", "-", "--live", "--name", "mouth", "--realtime"], { cwd, input: Buffer.from([0xff]) })
    await millrace("notify", "ears", "look", "--name", "mouth")
    await millrace("call", "ears", "grow", "by=1", "--name", "mouth")
    const { stdout } = await listener.ended
    const by = { sender: "mouth", realtime: false }
    expect(objects(stdout)).toEqual([
      { ...by, kind: "message", text: "größe" },
      { ...by, kind: "broadcast", text: "" },
      { ...by, kind: "publication", topic: "news", realtime: true, base64: "/w==" },
      { ...by, kind: "message", rpc: "notification", text: "look" },
      { ...by, kind: "message", rpc: "request", method: "grow", base64: expect.any(String) as string },
    ])
  })

  it("ends with 0 when it is interrupted, under a name that was made up", async () => {
    const listener = await listen()
    expect(listener.stderr).toMatch(/^connected as cli\.\d+\.[0-9a-f]{8}\n$/)
    expect(await listener.stop("SIGINT")).toMatchObject({ code: 0, stdout: "" })
  })

  it("comes back when its node does, and says so", async () => {
    const elsewhere = makeDirectory()
    const first = await startNode(elsewhere)
    const listener = start(["listen", "--name", "ears", "--topic", "news", "--limit", "1"], { cwd: elsewhere })
    await listener.until(({ stderr }) => stderr.includes("connected as "))
    await first.command.stop("SIGKILL")
    await listener.until(({ stderr }) => stderr.endsWith("the connection is lost; trying again\n"))
    await startNode(elsewhere)
    await listener.until(({ stderr }) => stderr.endsWith("connected again\n"))
    // Its subscriptions come back behind that.
    const isBack = async () => (await run(["send", "ears", "hello"], { cwd: elsewhere })).code === 0
    while (!(await isBack()));
    expect((await listener.ended).stdout).toBe("hello\n")
  })

  it("says when its node stops, and prints the warning only where that was asked for", async () => {
    const elsewhere = makeDirectory()
    const other = await startNode(elsewhere)
    const [plain, asked] = [
      start(["listen"], { cwd: elsewhere }),
      start(["listen", "--topic", ".broker/warn", "--json", "--limit", "1"], { cwd: elsewhere }),
    ]
    await plain.until(({ stderr }) => stderr.includes("connected as "))
    await asked.until(({ stderr }) => stderr.includes("connected as "))
    await other.command.stop()
    await plain.until(({ stderr }) => stderr.includes("the node stops\n"))
    expect(await plain.stop("SIGINT")).toMatchObject({ code: 0, stdout: "" })
    expect(objects((await asked.ended).stdout)).toMatchObject([{ sender: ".broker", topic: ".broker/warn" }])
  })
})

describe("call", () => {
  it("prints the answer as JSON, integers with all their digits", async () => {
    expect(await millrace("call", ".broker", "test")).toMatchObject({ code: 0, stdout: '{"ok":true}\n', stderr: "" })
    const params = ["n=9007199254740993", "list=[1,null]", "word=two words", 'text="7"']
    expect((await millrace("call", ".broker", "benchmark.test", ...params)).stdout).toBe(
      '{"n":9007199254740993,"list":[1,null],"word":"two words","text":"7"}\n',
    )
    expect((await millrace("call", ".broker", "benchmark.test")).stdout).toBe("null\n")
    const raw = await millrace("call", ".broker", "test", "--raw")
    expect(raw.bytes).toEqual(Buffer.from([0x81, 0xa2, 0x6f, 0x6b, 0xc3]))
  })

  it("fails in a sentence where the other says no, is not there, leaves, or does not answer", async () => {
    const listener = await listen("--name", "deaf")
    const failures: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      [
        "deaf answered grow with an error: method not found: deaf listens, and answers no calls",
        ["call", "deaf", "grow"],
      ],
      [
        ".broker answered test with an error: invalid parameters: test takes no parameters",
        ["call", ".broker", "test", "a=1"],
      ],
      ["no client named nobody is connected", ["call", "nobody", "grow"]],
      ["no client named nobody is connected", ["send", "nobody", "hello"]],
      ["no client named nobody is connected", ["notify", "nobody", "hello"]],
    ]
    for (const [sentence, args] of failures) {
      expect(await millrace(...args)).toMatchObject({ code: 1, stdout: "", stderr: `millrace: ${sentence}\n` })
    }
    // One that has no ears for anything: it is stopped in the middle of its work.
    listener.process.kill("SIGSTOP")
    const late = await millrace("call", "deaf", "grow", "--timeout", "300ms")
    expect(late.stderr).toMatch(/^millrace: [^\n]*deaf[^\n]*300 ms[^\n]*\n$/)
    const waiting = start(["call", "deaf", "grow", "--timeout", "1m", "--name", "waiter"], { cwd })
    const isThere = async (): Promise<boolean> => (await millrace("clients")).stdout.includes("waiter")
    while (!(await isThere()));
    listener.process.kill("SIGKILL")
    const left = await waiting.ended
    expect(left).toMatchObject({ code: 1, stdout: "" })
    expect(left.stderr).toMatch(/^millrace: [^\n]*deaf[^\n]*\n$/)
    // What nobody waits to hear of is no failure.
    expect(await millrace("send", "nobody", "hello", "--qos", "no")).toMatchObject(done)
  })
})

describe("clients", () => {
  it("lists who is connected, but for itself", async () => {
    const listener = await listen("--name", "here", "--url", endpoints[1]!)
    await millrace("send", "here", "hello")
    const { stdout } = await millrace("clients")
    expect(stdout).toMatch(/^NAME +KIND +FROM +SENT +BYTES +GOT +BYTES +WAITING +CONNECTIONS\n/)
    expect(stdout).toMatch(/\nhere +tcp +127\.0\.0\.1:\d+ +0 +0 B +1 +5 B +0 +1\n/)
    expect(stdout).not.toContain("cli.")
    const listed = objects((await millrace("clients", "--json", "--filter", "^here$")).stdout)
    expect(listed).toEqual([
      {
        name: "here",
        kind: "tcp",
        source: "127.0.0.1",
        port: expect.stringMatching(/^\d+$/) as string,
        r_frames: 0,
        r_bytes: 0,
        w_frames: 1,
        w_bytes: 5,
        queue: 0,
        instances: 1,
      },
    ])
    await listener.stop("SIGINT")
  })
})

describe("where the node is", () => {
  it("says --url before MILLRACE_URL before endpoints.json, for every kind of socket", async () => {
    const elsewhere = makeDirectory()
    const test = ["call", ".broker", "test"]
    for (const endpoint of endpoints) {
      expect(await run([...test, "--url", endpoint], { cwd: elsewhere })).toMatchObject({ code: 0 })
      expect(await run(test, { cwd: elsewhere, env: { MILLRACE_URL: endpoint } })).toMatchObject({ code: 0 })
    }
    const wrong = await run(test, { cwd, env: { MILLRACE_URL: "unix:nowhere.sock" } })
    expect(wrong).toMatchObject({ code: 1, stdout: "" })
    expect(wrong.stderr).toMatch(
      /^millrace: no node answers at unix:nowhere\.sock: [^\n]* \(start a node with: millrace serve\)\n$/,
    )
    expect(await run(["clients"], { cwd: elsewhere })).toMatchObject({
      code: 1,
      stderr:
        "millrace: no node runs in ./millrace-data: start one with millrace serve, or say where it is with --url\n",
    })
  })

  it.each<readonly [sentence: string, ...args: ReadonlyArray<string>]>([
    [
      'the live plane is reached by unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, tls:HOST:PORT or wss://HOST:PORT, not by "grpc://127.0.0.1:1"',
      "clients",
      "--url",
      "grpc://127.0.0.1:1",
    ],
    ['client names that begin with "." belong to the bus: ".me"', "listen", "--name", ".me"],
    ['a parameter is written key=value, not "seven"', "call", ".broker", "test", "seven"],
    ["--timeout takes a time such as 500ms, 5s or 1m", "call", ".broker", "test", "--timeout", "soon"],
    ["missing argument NAME (see millrace send --help)", "send"],
    ['--qos takes "processed" | "no", not "maybe" (see millrace send --help)', "send", "a", "b", "--qos", "maybe"],
    ['--limit takes a whole number from 1 on, not "0"', "listen", "--limit", "0"],
    [
      "--live is for one message, without --header, --key, --lines or --json",
      "publish",
      "t",
      "x",
      "--live",
      "--key",
      "k",
    ],
    ["--name, --qos and --realtime go with --live", "publish", "t", "x", "--realtime"],
  ])("is a wrong command line: %s", async (sentence, ...args) => {
    expect(await millrace(...args)).toMatchObject({ stderr: `millrace: ${sentence}\n`, stdout: "", code: 2 })
  })

  it("has one client of a name at a time", async () => {
    const first = await listen("--name", "only")
    expect(await millrace("listen", "--name", "only")).toMatchObject({
      code: 1,
      stderr: "millrace: the name only is taken\n",
    })
    await first.stop("SIGINT")
  })
})

describe("topics and queues over a socket", () => {
  it("are those of the node, whichever socket it is", async () => {
    const publish = async (endpoint: string) =>
      (await millrace("publish", "over/sockets", endpoint, "--url", endpoint, "--header", "a=b")).stdout
    for (const [i, endpoint] of endpoints.entries()) {
      expect(await publish(endpoint)).toBe(`over/sockets@tenant/default/device ${i + 1}\n`)
    }
    const url = ["--url", endpoints[0]!]
    expect((await millrace("fetch", "over/sockets", ...url)).stdout).toBe(endpoints.map((text) => `${text}\n`).join(""))
    const heads = await millrace("heads", ...url)
    expect(heads.stdout).toBe("over/sockets@tenant/default/device 3\n")
    const subscribed = await millrace("subscribe", "over/#", "--from", "start", "--limit", "3", "--json", ...url)
    expect(objects(subscribed.stdout)).toMatchObject([1, 2, 3].map((offset) => ({ offset, headers: { a: "b" } })))
    const resumed = ["subscribe", "over/#", "--cursor", "tests", "--limit", "2", ...url]
    expect((await millrace(...resumed)).stdout).toBe(`${endpoints[0]}\n${endpoints[1]}\n`)
    await run(["publish", "over/lines", "--lines", ...url], { cwd, input: "one\ntwo\n" })
    expect((await millrace("fetch", "over/lines", ...url)).stdout).toBe("one\ntwo\n")

    expect((await millrace("queue", "enqueue", "jobs", "first", ...url)).code).toBe(0)
    expect((await millrace("queue", "take", "jobs", "--limit", "1", ...url)).stdout).toBe("first\n")
    expect((await millrace("health", ...url)).stdout).toBe("SERVING tenant/default/device\n")
    expect((await millrace("ready", ...url)).stdout).toBe("READY tenant/default/device\n")
  })

  it("have the errors that they have over gRPC", async () => {
    const url = ["--url", endpoints[0]!]
    await millrace("publish", "keyed", "x", "--key", "k", ...url)
    const conflict = await millrace("publish", "keyed", "y", "--key", "k", ...url)
    expect(conflict).toEqual(await millrace("publish", "keyed", "y", "--key", "k"))
    expect(conflict.code).toBe(1)
    expect(await millrace("queue", "peek", "none", ...url)).toEqual(await millrace("queue", "peek", "none"))
    expect((await millrace("heads", "--url", "unix:nowhere.sock")).stderr).toMatch(
      /^millrace: no node answers at unix:nowhere\.sock: [^\n]* \(start a node with: millrace serve\)\n$/,
    )
  })

  it("are shown by stats as far as the broker knows of them", async () => {
    const stats = ["stats", "--once", "--interval", "100ms", "--url", endpoints[0]!]
    expect((await millrace(...stats)).stdout).toMatch(/^up \d.* {2}in .*\/s {2}out .*\/s {2}since its start in .*\n$/)
    expect(objects((await millrace(...stats, "--json")).stdout)).toMatchObject([
      { uptime: expect.any(Number) as number },
    ])
  })
})

describe("a node with access rules", () => {
  it("knows commands on sockets by their names, from --name or MILLRACE_NAME (I9)", async () => {
    const guarded = makeDirectory()
    const principals = {
      pump: {},
      panel: { send: ["pump", ".bus"], publish: ["orders/#"], subscribe: ["orders/#"] },
    }
    writeFileSync(join(guarded, "rules.json"), JSON.stringify({ principals }))
    const { report } = await startNode(guarded, ["--access", "rules.json"])
    const pump = start(["listen", "--name", "pump", "--limit", "1"], { cwd: guarded })
    await pump.until(({ stderr }) => stderr.includes("connected as pump"))
    const as = (name: string, ...args: ReadonlyArray<string>) =>
      run(args, { cwd: guarded, env: name === "" ? {} : { MILLRACE_NAME: name } })

    const failures: ReadonlyArray<readonly [RegExp, string, ReadonlyArray<string>]> = [
      [/access rules do not let cli\.\S+ connect/, "", ["send", "pump", "x"]],
      [/access rules do not let panel send/, "panel", ["send", "panel", "x"]],
      [/access rules do not let panel publish/, "panel", ["publish", "other", "x", "--live"]],
      [/access rules do not let panel read "#"/, "panel", ["listen", "--topic", "#"]],
      [/access rules do not let panel send/, "panel", ["clients"]],
    ]
    for (const [sentence, name, args] of failures) {
      const failed = await as(name, ...args)
      expect(failed).toMatchObject({ code: 1, stdout: "" })
      expect(failed.stderr).toMatch(sentence)
      expect(failed.stderr.trimEnd().split("\n")).toHaveLength(1)
    }
    expect(await as("somebody else", "send", "pump", "hello", "--name", "panel")).toMatchObject(done)
    expect((await pump.ended).stdout).toBe("hello\n")

    const [socket] = report["busrt"] as unknown as ReadonlyArray<string>
    const url = ["--url", socket!]
    expect(await as("panel", "publish", "orders/eu", "x", ...url)).toMatchObject({ code: 0 })
    expect(await as("panel", "fetch", "orders/eu", ...url)).toMatchObject({ code: 0, stdout: "x\n" })
    expect((await as("panel", "fetch", "other", ...url)).stderr).toMatch(/access rules do not let panel read "other"/)
  })
})
