import { Effect } from "effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import { load } from "../../src/node/ConfigSources.ts"
import * as Log from "../../src/node/Log.ts"

afterEach(() => void vi.restoreAllMocks())

describe.each(["pretty", "json"])("the log, %s", (log) => {
  it("hides passwords in messages, annotations and errors", async () => {
    const printed: Array<string> = []
    const print = (text: unknown) => printed.push(String(text)) > 0
    vi.spyOn(process.stderr, "write").mockImplementation(print)
    vi.spyOn(console, "error").mockImplementation(print)
    const url = "postgres://bus:s3cret@host/db"
    const program = Effect.logError(`${url} is gone`, new Error(`no answer from ${url}`)).pipe(
      Effect.annotateLogs({ url }),
    )
    const config = await Effect.runPromise(load({ flags: { log }, environment: {} }))
    await Effect.runPromise(Effect.provide(program, Log.layer(config)))
    expect(printed.join("")).toContain("postgres://bus:(redacted)@host/db is gone")
    expect(printed.join("")).not.toContain("s3cret")
  })
})
