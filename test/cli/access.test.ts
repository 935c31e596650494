/**
 * A node with access rules, from the command line: rules that cannot be used, tokens, and rules that change while it
 * runs.
 */
import { existsSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { hashOf } from "../../src/access/tokens.ts"
import { makeDirectory, type Outcome, run, startNode } from "./program.ts"

const rules = (principals: object): string => JSON.stringify({ principals })

const writer = { tokens: [hashOf("writer-token")], publish: ["orders/#"] }
const operator = { tokens: [hashOf("operator-token")], subscribe: "any", admin: ["stats"] }

const expectFailure = (outcome: Outcome, code: number, sentence: string): void => {
  expect(outcome.stderr).toContain(sentence)
  expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1)
  expect(outcome.stdout).toBe("")
  expect(outcome.code).toBe(code)
}

describe("serve --access", () => {
  it.each([
    ["{", "rules.json: it is not valid JSON"],
    [rules({ a: { publish: ["a+"] } }), 'rules.json: principals.a.publish[0]: "+" and "#" must stand alone'],
    [undefined, "rules.json cannot be read: no such file or directory"],
  ])("refuses rules that cannot be used, in one sentence, and makes nothing: %j", async (text, sentence) => {
    const cwd = makeDirectory()
    if (text !== undefined) writeFileSync(join(cwd, "rules.json"), text)
    expectFailure(await run(["serve", "--access", "rules.json"], { cwd }), 2, sentence)
    expect(existsSync(join(cwd, "millrace-data"))).toBe(false)
  })

  it("is shown by --print-config", async () => {
    const cwd = makeDirectory()
    const { stdout } = await run(["serve", "--print-config"], { cwd, env: { MILLRACE_ACCESS: "rules.json" } })
    expect(JSON.parse(stdout).access).toBe("rules.json")
  })

  it("lets in who shows a token that is known, and nobody else (I9)", async () => {
    const cwd = makeDirectory()
    writeFileSync(join(cwd, "rules.json"), rules({ writer, operator }))
    await startNode(cwd, ["--access", "rules.json"])
    const as = (token: string, ...args: ReadonlyArray<string>) =>
      run(args, { cwd, env: token === "" ? {} : { MILLRACE_TOKEN: token } })

    expect(await as("writer-token", "publish", "orders/eu", "hello")).toMatchObject({ code: 0 })
    expect(await as("operator-token", "fetch", "orders/eu")).toMatchObject({ code: 0, stdout: "hello\n" })
    expect(await as("operator-token", "stats", "--once", "--interval", "100ms")).toMatchObject({ code: 0 })
    expect(await as("", "health")).toMatchObject({ code: 0 })
    expectFailure(
      await as("writer-token", "publish", "other", "x"),
      1,
      'access rules do not let writer publish to "other"',
    )
    expectFailure(await as("writer-token", "fetch", "orders/eu"), 1, 'access rules do not let writer read "orders/eu"')
    expectFailure(await as("writer-token", "stats", "--once"), 1, 'access rules do not let writer ask for "stats"')
    expectFailure(await as("", "fetch", "orders/eu"), 1, "access rules let nobody in without a token")
    expectFailure(await as("guess", "heads"), 1, "access rules do not know this token")
  })

  it("reads its rules again on SIGHUP and when the file changes, and keeps the old ones where it cannot", async () => {
    const cwd = makeDirectory()
    const file = join(cwd, "rules.json")
    const put = (text: string): void => {
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
    }
    put(rules({ writer }))
    const { command, report } = await startNode(cwd, ["--access", "rules.json"])
    const publish = (topic: string) => run(["publish", topic, "x"], { cwd, env: { MILLRACE_TOKEN: "writer-token" } })
    const reloads = async (): Promise<ReadonlyArray<string>> =>
      (await (await fetch(`${report["admin"]}/metrics`)).text())
        .split("\n")
        .filter((line) => line.startsWith("millrace_access_reloads_total"))
    expect((await publish("other")).code).toBe(1)

    // Found by looking.
    put(rules({ writer: { ...writer, publish: ["other"] } }))
    await command.until(({ stderr }) => stderr.includes("the access rules have been read again"))
    expect((await publish("other")).code).toBe(0)
    expect((await publish("orders/eu")).code).toBe(1)

    put("{")
    command.process.kill("SIGHUP")
    await command.until(({ stderr }) => stderr.includes("the access rules stay as they were"))
    expect(command.stderr).toContain("rules.json: it is not valid JSON")
    expect((await publish("other")).code).toBe(0)
    const lines = await reloads()
    expect(lines).toContain('millrace_access_reloads_total{result="used"} 1')
    // It may have been looked at on the signal and for its change.
    expect(lines.find((line) => line.includes("refused"))).toMatch(/ [12]$/)

    put(rules({ writer }))
    command.process.kill("SIGHUP")
    await command.until(({ stderr }) => stderr.split("the access rules have been read again").length === 3)
    expect((await publish("orders/eu")).code).toBe(0)
    expect((await command.stop()).code).toBe(0)
  })
})
