/**
 * Nodes on each storage, over the command line: what they keep, what they say of it, and two of them on one PostgreSQL.
 */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { makeDirectory, type NodeProcess, run, start, startNode } from "./program.ts"

const server = sharedServer()

/** The variable that says where a node keeps things on PostgreSQL. */
const onPostgres = (schema: string) => ({ MILLRACE_STORAGE: Redacted.value(server().url(schema)) })

interface Place {
  readonly storage: string
  /** What a node is told, in its environment. */
  readonly env: () => Readonly<Record<string, string>>
  /** What it says of its storage. */
  readonly shown: (cwd: string) => string
}

const places: ReadonlyArray<Place> = [
  { storage: "sqlite", env: () => ({}), shown: (cwd) => `sqlite:${join(cwd, "millrace-data/millrace.sqlite")}` },
  {
    storage: "lmdb",
    env: () => ({ MILLRACE_STORAGE: "lmdb:" }),
    shown: (cwd) => `lmdb:${join(cwd, "millrace-data/millrace.lmdb")}`,
  },
  {
    storage: "postgres",
    env: () => onPostgres("kept"),
    shown: () => Redacted.value(server().url("kept")).replace(/:[^:@]*@/, ":(redacted)@"),
  },
]

const isThere = ({ storage }: Place): boolean => storage !== "postgres" || !skipsPostgres

describe.each(places.filter(isThere))("a node on $storage", ({ env, shown }) => {
  it("keeps messages, items and cursors over SIGTERM and SIGKILL, and says where", async () => {
    const cwd = makeDirectory()
    const millrace = async (...args: ReadonlyArray<string>) => {
      const { code, stderr, stdout } = await run(args, { cwd })
      expect([args, code, stderr.replace("live\n", "")]).toEqual([args, 0, ""])
      return stdout
    }
    let node = await startNode(cwd, [], { env: env() })
    expect(node.report).toMatchObject({ storage: shown(cwd), durability: "fsync" })
    expect(await millrace("publish", "words", "one")).toBe("words@tenant/default/device 1\n")
    await millrace("queue", "enqueue", "work", "an item")
    expect(await millrace("subscribe", "words", "--cursor", "reader", "--limit", "1")).toBe("one\n")
    expect((await node.command.stop()).code).toBe(0)

    node = await startNode(cwd, [], { env: env() })
    expect(await millrace("publish", "words", "two")).toBe("words@tenant/default/device 2\n")
    await node.command.stop("SIGKILL")

    node = await startNode(cwd, [], { env: env() })
    const subscriber = start(["subscribe", "words", "--from", "start"], { cwd })
    await subscriber.until(({ stderr }) => stderr.includes("live"))
    expect(await millrace("publish", "words", "three")).toBe("words@tenant/default/device 3\n")
    await subscriber.until(({ stdout }) => stdout === "one\ntwo\nthree\n")
    expect((await subscriber.stop("SIGINT")).code).toBe(0)
    expect(await millrace("subscribe", "words", "--cursor", "reader", "--limit", "2")).toBe("two\nthree\n")
    expect(await millrace("queue", "peek", "work")).toBe("an item\n")

    expect(await millrace("ready")).toBe("READY tenant/default/device\n")
    const stats = JSON.parse(await millrace("stats", "--once", "--json", "--interval", "100ms")) as {
      readonly store: { readonly databaseBytes: number }
    }
    expect(stats.store.databaseBytes).toBeGreaterThan(0)
    const metrics = await (await fetch(`${node.report["admin"]}/metrics`)).text()
    expect(metrics).toMatch(/^millrace_store_file_bytes\{file="database"\} [1-9]/m)
    const examined = await run(["doctor"], { cwd, env: env() })
    expect(examined).toMatchObject({ code: 0, stderr: "" })
    expect(examined.stdout).toMatch(
      /: node tenant\/default\/device, 1 log, 3 messages, 1 queue with 1 item, .*\nhealthy\n$/,
    )
    expect((await node.command.stop()).code).toBe(0)
  }, 120_000)
})

it("a node on lmdb is backed up while it runs, and another one goes on from the backup", async () => {
  const env = { MILLRACE_STORAGE: "lmdb:" }
  const cwd = makeDirectory()
  const node = await startNode(cwd, [], { env })
  await run(["publish", "words", "--lines"], { cwd, input: "one\ntwo\n" })
  const here = await run(["backup", "here"], { cwd, env })
  expect(here).toMatchObject({ code: 0, stderr: "" })
  const there = await run(["backup", "there", "--url", node.report["grpc"]!], { cwd })
  expect(there).toMatchObject({ code: 0, stderr: "" })
  await node.command.stop()
  for (const taken of ["here", "there"]) {
    const restored = makeDirectory()
    const directory = join(restored, "millrace-data/millrace.lmdb")
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    copyFileSync(join(cwd, taken), join(directory, "data.mdb"))
    const again = await startNode(restored, [], { env })
    expect((await run(["fetch", "words"], { cwd: restored })).stdout).toBe("one\ntwo\n")
    await again.command.stop()
  }
})

describe.skipIf(skipsPostgres)("nodes on PostgreSQL", () => {
  const startAs = (node: string, schema: string): Promise<NodeProcess> =>
    startNode(makeDirectory(), ["--node", node], { env: onPostgres(schema) })

  it("reach each other's subscribers, each with logs of its own", async () => {
    const [a, b] = [await startAs("shop/north/a", "pair"), await startAs("shop/north/b", "pair")]
    const subscriber = start(["subscribe", "orders/#", "--from", "start", "--json"], { cwd: b.cwd })
    await subscriber.until(({ stderr }) => stderr.includes("live"))
    const millrace = async (node: NodeProcess, ...args: ReadonlyArray<string>) =>
      (await run(args, { cwd: node.cwd })).stdout
    expect(await millrace(a, "publish", "orders/eu", "1")).toBe("orders/eu@shop/north/a 1\n")
    expect(await millrace(b, "publish", "orders/eu", "2")).toBe("orders/eu@shop/north/b 1\n")
    expect(await millrace(a, "publish", "orders/eu", "3")).toBe("orders/eu@shop/north/a 2\n")
    await subscriber.until(({ stdout }) => stdout.split("\n").length > 3)
    const seen = (await subscriber.stop("SIGINT")).stdout.trimEnd().split("\n")
    expect(seen.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { origin: "shop/north/a", offset: 1, text: "1" },
      { origin: "shop/north/b", offset: 1, text: "2" },
      { origin: "shop/north/a", offset: 2, text: "3" },
    ])
    const heads = "orders/eu@shop/north/a 2\norders/eu@shop/north/b 1\n"
    expect(await millrace(a, "heads")).toBe(heads)
    expect(await millrace(b, "heads")).toBe(heads)
    expect((await a.command.stop()).code).toBe(0)
    // The other one goes on.
    expect(await millrace(b, "publish", "orders/eu", "4")).toBe("orders/eu@shop/north/b 2\n")
    expect((await b.command.stop()).code).toBe(0)
  })

  it("have an identity each: a second one of the same is refused in one sentence", async () => {
    const first = await startAs("shop/north/a", "identity")
    const cwd = makeDirectory()
    const second = await run(["serve", "--node", "shop/north/a", "--grpc", "off", "--admin", "off"], {
      cwd,
      env: onPostgres("identity"),
    })
    expect(second.code).toBe(1)
    expect(second.stdout).toBe("")
    expect(second.stderr).toMatch(/^millrace: .*shop\/north\/a.*\n$/)
    expect(second.stderr).not.toContain("secret")
    await first.command.stop()
    // Whoever has stopped has left it to others.
    expect((await (await startAs("shop/north/a", "identity")).command.stop()).code).toBe(0)
  })

  const refusals: ReadonlyArray<readonly [name: string, url: () => string, sentence: RegExp]> = [
    ["a wrong password", () => Redacted.value(server().url()).replace(/:[^:@]*@/, ":a%20wrong%20secret@"), /password/],
    ["no server", () => "postgres://bus:secret@127.0.0.1:1/bus", /127\.0\.0\.1:1/],
    ["no database", () => Redacted.value(server().url(undefined, "nowhere")), /nowhere/],
  ]
  it.each(refusals)("do not start with %s, and say so in one sentence without it", async (_, url, sentence) => {
    const cwd = makeDirectory()
    const refused = await run(["serve", "--grpc", "off", "--admin", "off"], { cwd, env: { MILLRACE_STORAGE: url() } })
    expect(refused.code).toBe(1)
    expect(refused.stdout).toBe("")
    expect(refused.stderr).toMatch(sentence)
    expect(refused.stderr).toMatch(/^millrace: [^\n]*\n$/)
    expect(refused.stderr).not.toContain("secret")
  })

  it("are examined by URL, with the password elsewhere, and backed up by others", async () => {
    const { command, cwd, report } = await startAs("shop/north/a", "examined")
    const url = server().url("examined")
    const bare = Redacted.value(url).replace(/:[^:@]*@/, "@")
    const env = { PGPASSWORD: "a secret of the tests" }
    const examined = await run(["doctor", bare], { cwd, env })
    expect(examined).toMatchObject({ code: 0, stderr: "" })
    const given = await run(["doctor", Redacted.value(url)], { cwd })
    expect(given).toMatchObject({ code: 2, stdout: "" })
    expect(given.stderr).toMatch(/^millrace: .*PGPASSWORD.*\n$/)
    expect(given.stderr).not.toContain("secret")
    const backup = await run(["backup", "copy"], { cwd, env: onPostgres("examined") })
    expect(backup.code).toBe(2)
    expect(backup.stderr).toMatch(/^millrace: .*pg_dump.*\n$/)
    expect(backup.stderr).not.toContain("secret")
    const asked = await run(["backup", "copy", "--url", report["grpc"]!], { cwd })
    expect(asked.code).toBe(1)
    expect(asked.stderr).toMatch(/^millrace: .*pg_dump.*\n$/)
    const there = await run(["doctor", "--url", report["grpc"]!], { cwd })
    expect(there).toMatchObject({ code: 0, stderr: "" })
    await command.stop()
  })

  it("say that they are not ready while the server is away, and go on when it is back", async () => {
    const { command, cwd, report } = await startAs("shop/north/a", "away")
    const readiness = async () => await (await fetch(`${report["admin"]}/readyz`)).text()
    const until = async (expected: RegExp) => {
      // Each answer takes as long as the store, or half a second.
      while (!expected.test(await readiness()));
    }
    expect((await run(["publish", "words", "one"], { cwd })).code).toBe(0)
    await Effect.runPromise(server().kill)
    await until(/^NOT_READY/)
    const refused = await run(["publish", "words", "two", "--key", "two"], { cwd })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^millrace: the database cannot be reached: [^\n]+\n$/)
    await Effect.runPromise(server().start)
    await until(/^READY\n$/)
    expect((await run(["publish", "words", "two", "--key", "two"], { cwd })).code).toBe(0)
    expect((await run(["fetch", "words"], { cwd })).stdout).toBe("one\ntwo\n")
    const { code, stderr } = await command.stop()
    expect(code).toBe(0)
    expect(stderr).toMatch(/ready again/)
    expect(stderr).not.toContain("secret")
  })

  it.each(["pretty", "json"])("tell no password in their logs, %s", async (log) => {
    const { command } = await startNode(makeDirectory(), ["--log", log, "--log-level", "trace"], {
      env: onPostgres("log"),
    })
    const { stderr, stdout } = await command.stop()
    expect(stdout).toContain("(redacted)")
    expect(stdout + stderr).not.toContain("secret")
  })
})
