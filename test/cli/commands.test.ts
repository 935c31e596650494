import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const cwd = makeDirectory()
let node: NodeProcess
beforeAll(async () => {
  node = await startNode(cwd)
})
afterAll(() => node.command.stop())

const millrace = (...args: ReadonlyArray<string>) => run(args, { cwd })
const jsonLines = (text: string): ReadonlyArray<unknown> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line))

describe("commands find the node of their directory with no flag", () => {
  it("publish says where the message is, fetch prints it, heads lists its log", async () => {
    expect((await millrace("publish", "greetings/en", "hello")).stdout).toBe("greetings/en@tenant/default/device 1\n")
    expect((await millrace("publish", "greetings/en", "good morning")).stdout).toBe(
      "greetings/en@tenant/default/device 2\n",
    )
    expect((await millrace("fetch", "greetings/en")).stdout).toBe("hello\ngood morning\n")
    expect((await millrace("fetch", "greetings/en", "--from", "2")).stdout).toBe("good morning\n")
    expect((await millrace("fetch", "greetings/en", "--limit", "1")).stdout).toBe("hello\n")
    expect((await millrace("heads")).stdout).toContain("greetings/en@tenant/default/device 2\n")
    expect(jsonLines((await millrace("heads", "--json")).stdout)).toContainEqual({
      topic: "greetings/en",
      origin: "tenant/default/device",
      offset: 2,
    })
  })

  it("takes the URL from --url before MILLRACE_URL before endpoints.json", async () => {
    const url = node.report["grpc"]!
    const nowhere = "grpc://127.0.0.1:1"
    const elsewhere = makeDirectory()
    expect((await run(["health"], { cwd: elsewhere, env: { MILLRACE_URL: url } })).stdout).toMatch(/^SERVING/)
    expect((await run(["health", "--url", url], { cwd, env: { MILLRACE_URL: nowhere } })).stdout).toMatch(/^SERVING/)
    const lost = await run(["health"], { cwd, env: { MILLRACE_URL: nowhere } })
    expect(lost.code).toBe(1)
    expect(lost.stderr).toMatch(
      /^millrace: no node answers at grpc:\/\/127\.0\.0\.1:1: .* \(start a node with: millrace serve\)\n$/,
    )
  })

  it("prints messages as JSON: text where they are text, base64 where not", async () => {
    const published = await millrace("publish", "things", "größe", "--header", "unit=m", "--header", "a=b=c", "--json")
    const [stored] = jsonLines(published.stdout)
    expect(stored).toEqual({
      topic: "things",
      origin: "tenant/default/device",
      offset: 1,
      position: expect.any(Number) as number,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      createdAt: expect.any(Number) as number,
      headers: { unit: "m", a: "b=c" },
      deleted: false,
    })
    await run(["publish", "things", "-"], { cwd, input: Buffer.from([0xff, 0x00, 0x0a]) })
    const fetched = jsonLines((await millrace("fetch", "things", "--json")).stdout)
    expect(fetched[0]).toEqual({ ...(stored as object), text: "größe" })
    expect(fetched[1]).toMatchObject({ offset: 2, base64: "/wAK" })
    expect((await millrace("fetch", "things", "--from", "2")).bytes).toEqual(Buffer.from([0xff, 0x00, 0x0a, 0x0a]))
  })

  it("publishes standard input where there is no payload, and takes what follows -- as it is", async () => {
    await run(["publish", "input"], { cwd, input: "two\nlines" })
    await millrace("publish", "--", "input", "--json")
    await millrace("publish", "input", "")
    expect((await millrace("fetch", "input")).stdout).toBe("two\nlines\n--json\n\n")
  })

  it("stores the same key and content once, and refuses other content", async () => {
    const first = await millrace("publish", "keyed", "x", "--key", "k")
    expect(first.stdout).toBe("keyed@tenant/default/device 1\n")
    expect((await millrace("publish", "keyed", "x", "--key", "k")).stdout).toBe(first.stdout)
    const conflict = await millrace("publish", "keyed", "y", "--key", "k")
    expect(conflict.code).toBe(1)
    expect(conflict.stderr.split("\n")).toHaveLength(2)
  })

  it("deletes payloads and keeps places", async () => {
    await run(["publish", "deleted", "--lines"], { cwd, input: "a\nb\nc\n" })
    expect((await millrace("delete", "deleted", "2", "9")).stdout).toBe("2 deleted\n")
    expect((await millrace("delete", "deleted", "1", "2", "--json")).stdout).toBe('{"deleted":1}\n')
    expect((await millrace("fetch", "deleted")).stdout).toBe("")
    expect(jsonLines((await millrace("fetch", "deleted", "--json")).stdout)).toMatchObject([
      { offset: 1, deleted: true, text: "" },
      { offset: 2, deleted: true, text: "" },
      { offset: 3, deleted: true, text: "" },
    ])
    expect((await millrace("heads")).stdout).toContain("deleted@tenant/default/device 3\n")
  })

  it("says whether the node is there and ready", async () => {
    expect((await millrace("ready")).stdout).toBe("READY tenant/default/device\n")
    expect(jsonLines((await millrace("ready", "--json")).stdout)).toEqual([
      { ready: true, status: "READY", node: "tenant/default/device" },
    ])
    expect(jsonLines((await millrace("health", "--json")).stdout)).toMatchObject([
      { status: "SERVING", node: "tenant/default/device" },
    ])
  })

  it("refuses a payload over the limit and stores nothing of it", async () => {
    const outcome = await run(["publish", "large", "-"], { cwd, input: Buffer.alloc(3_700_000) })
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toMatch(/^millrace: .*3,?670,?016.*\n$/)
    expect((await millrace("heads")).stdout).not.toContain("large@")
  })
})

describe("a wrong command line is one sentence and exit code 2", () => {
  it.each<readonly [sentence: string, ...args: ReadonlyArray<string>]>([
    ["unknown flag --bus; did you mean --busrt? (see millrace serve --help)", "serve", "--bus", "unix:x"],
    ["missing argument TOPIC (see millrace publish --help)", "publish"],
    ['--grpc takes HOST:PORT or off, not "nonsense"', "serve", "--grpc", "nonsense"],
    ['a topic must not contain "+" or "#", which are the wildcards of filters: "a/+"', "publish", "a/+", "b"],
  ])("%s", async (sentence, ...args) => {
    expect(await millrace(...args)).toMatchObject({ stderr: `millrace: ${sentence}\n`, stdout: "", code: 2 })
  })

  it("is not what publishing to a topic of the bus is: that is refused", async () => {
    const reserved = await millrace("publish", "$msgbus.delete", "b")
    expect(reserved.code).toBe(1)
    expect(reserved.stderr.split("\n")).toHaveLength(2)
  })
})

describe("help, version, completion", () => {
  it("go to stdout with exit code 0", async () => {
    const [version, help, command] = await Promise.all([
      millrace("--version"),
      millrace("--help"),
      millrace("subscribe", "--help"),
    ])
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string, stderr: "" })
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("publish") as string, stderr: "" })
    expect(command).toMatchObject({ code: 0, stdout: expect.stringContaining("--from") as string, stderr: "" })
  })
})
