import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Logger, Tracer } from "effect"
import { StorageFailed } from "../../src/domain/errors.ts"
import { jsonLogger } from "../../src/node/jsonLog.ts"

const linesOf = (program: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.map(jsonLogger, (line) => void lines.push(line))
    yield* program.pipe(Effect.provide(Logger.layer([logger])))
    return lines.map((line): unknown => {
      expect(line).not.toContain("\n")
      return JSON.parse(line)
    })
  })

describe("the log for programs", () => {
  it.effect("is an object a line, with what belongs to it", () =>
    Effect.gen(function* () {
      const parent = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })
      const lines = yield* linesOf(
        Effect.gen(function* () {
          yield* Effect.logInfo("two\nlines")
          yield* Effect.logWarning("with", { more: 1 }).pipe(Effect.annotateLogs({ queue: "jobs", depth: 3 }))
          yield* Effect.logError("in a trace").pipe(Effect.withParentSpan(parent))
        }),
      )
      expect(lines).toEqual([
        { time: "1970-01-01T00:00:00.000Z", level: "info", message: "two\nlines" },
        {
          time: "1970-01-01T00:00:00.000Z",
          level: "warn",
          message: 'with {"more":1}',
          annotations: { queue: "jobs", depth: 3 },
        },
        {
          time: "1970-01-01T00:00:00.000Z",
          level: "error",
          message: "in a trace",
          traceId: "a".repeat(32),
          spanId: "b".repeat(16),
        },
      ])
    }),
  )

  it.effect("has errors as objects, wherever they stand, and the passwords of URLs nowhere", () =>
    Effect.gen(function* () {
      const error = new StorageFailed({ operation: "append", message: "postgres://me:secret@host/db is gone" })
      const lines = yield* linesOf(
        Effect.gen(function* () {
          yield* Effect.logError("by cause", Cause.fail(error))
          yield* Effect.logError("as itself", new Error("planted"))
          yield* Effect.logInfo("at grpc://me:secret@host").pipe(Effect.annotateLogs({ url: "grpc://me:secret@host" }))
        }),
      )
      expect(lines[0]).toMatchObject({
        message: "by cause",
        errors: [{ type: "millrace/StorageFailed", message: "postgres://me:(redacted)@host/db is gone" }],
      })
      expect(lines[1]).toMatchObject({
        message: "as itself",
        errors: [{ type: "Error", message: "planted", stack: expect.stringContaining("jsonLog.test.ts") }],
      })
      expect(JSON.stringify(lines)).not.toContain("secret")
    }),
  )
})
