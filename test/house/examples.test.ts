/**
 * The examples as a user runs them: each a process of its own, in an empty directory, with what it prints.
 * `ordering.ts` among them is a test file: its tests are tests here.
 */
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import "../../docs/examples/ordering.ts"
import { makeDirectory, startNode } from "../cli/program.ts"
import { quickly } from "../support/program.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"

const directory = fileURLToPath(new URL("../../docs/examples/", import.meta.url))

const linesOf = (text: string): ReadonlyArray<string> => text.trimEnd().split("\n")

/** What an example may know of the machine; and the code that is compiled already. */
const kept = Object.fromEntries(
  ["PATH", "NODE_COMPILE_CACHE", "PROGRAM_IS_BUILT"].map((name) => [name, process.env[name]]),
)

/** Runs an example to its end; rejects where it does not end with 0. */
const runExample = async (name: string, cwd = makeDirectory(), env: Readonly<Record<string, string>> = {}) => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--conditions=millrace-source", ...quickly, `${directory}${name}`],
    { cwd, env: { ...kept, ...env } },
  )
  return { stderr, lines: linesOf(stdout) }
}

const printed: Readonly<Record<string, ReadonlyArray<string>>> = {
  "embedding.ts": ["greetings/en 1: hello", "greetings/de 1: guten Tag", "greetings/en 2: good evening"],
  "typed-topic.ts": [
    "order 1: 9.50",
    "offset 2 was deleted",
    "order 3: 7.25",
    "offset 4 is no order: Expected number",
    `  at ["id"]`,
  ],
  "resume.ts": [
    "invoice 1 for order 1",
    "invoice 2 for order 2",
    "invoices stopped: out of paper",
    "invoice 3 for order 3",
  ],
  "access-rules.ts": ["stored at offset 1", 'AccessDenied: access rules do not let sensor publish to "orders/eu"'],
  "syncing.ts": ["from home: buy milk", "from home: water the roses", "in touch with home, on this node laptop"],
  "backup.ts": ["0 findings in the backup"],
  "work-queue.ts": [
    "attempt 1: ada@example.org",
    "attempt 1: nobody",
    "attempt 2: nobody",
    "attempt 1: bob@example.org",
    "dead after 2 attempts: nobody is no address",
  ],
  "calls.ts": [
    "math: app says hello",
    "mean: 3",
    "error 1: there are no numbers",
    "math did not answer think within 1000 ms",
    "math disconnected before it answered think",
    "no client named math is connected",
  ],
  "effect-rpc.ts": [
    "shop asks for a lamp",
    "a lamp is 19.5",
    "shop asks for a moon",
    "there is no moon",
    "3",
    "2",
    "1",
  ],
  "tracing.ts": ["packing order 1", "checkout", "  publish orders/eu", "    process orders/eu"],
  "postgres.ts": ["orders/eu: 1 lamp", "orders/us: 2 chairs", "1 parcel to pack"],
  "location.ts": ["sensors/kitchen: 21.5", "sensors/cellar: 12.0"],
}

describe("each example", () => {
  it("is run here", () => {
    const programs = readdirSync(directory).filter((name) => name.endsWith(".ts") && name !== "ordering.ts")
    expect(programs.toSorted()).toEqual(Object.keys(printed).toSorted())
  })

  it.each(Object.keys(printed))("%s prints what it says", async (name) => {
    expect(await runExample(name)).toEqual({ stderr: "", lines: printed[name] })
  })
})

describe("the app whose layer is chosen when it starts", () => {
  it("prints the same where its topics are in a node elsewhere", async () => {
    const node = await startNode(makeDirectory())
    const cwd = makeDirectory()
    const { lines } = await runExample("location.ts", cwd, { MILLRACE_URL: node.report["grpc"]! })
    expect(lines).toEqual(printed["location.ts"])
    // It kept nothing itself.
    expect(readdirSync(cwd)).toEqual([])
    await node.command.stop()
  })
})

describe.skipIf(skipsPostgres)("the app whose storage is another layer", () => {
  const server = sharedServer()

  it("prints the same on PostgreSQL", async () => {
    const cwd = makeDirectory()
    const { lines } = await runExample("postgres.ts", cwd, { DATABASE_URL: Redacted.value(server().url("orders")) })
    expect(lines).toEqual(printed["postgres.ts"])
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe("the consumer that keeps its place", () => {
  it("goes on in another process where the first one ended", async () => {
    const cwd = makeDirectory()
    await runExample("resume.ts", cwd)
    const { lines } = await runExample("resume.ts", cwd)
    expect(lines).toEqual([
      "invoice 4 for order 1",
      "invoice 5 for order 2",
      "invoices stopped: out of paper",
      "invoice 6 for order 3",
    ])
  })
})
