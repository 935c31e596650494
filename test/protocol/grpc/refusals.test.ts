import { status } from "@grpc/grpc-js"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Refusals from "../../../src/protocol/grpc/refusals.ts"

describe("clients that are turned away", () => {
  it.effect("are told of in the log, once in ten seconds for each method and reason", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.map(
        Logger.formatStructured,
        ({ annotations, message }) => void lines.push({ message, ...annotations }),
      )
      yield* Effect.gen(function* () {
        const tell = Refusals.make(yield* Effect.context<never>())
        const full = { path: "/a.B/Publish", code: status.RESOURCE_EXHAUSTED, details: "no room", peer: "1.2.3.4:5" }
        for (let i = 0; i < 4; i++) tell(full)
        tell({ ...full, code: status.OK, details: "" })
        tell({ ...full, code: status.UNAVAILABLE, details: "the node is shutting down" })
        tell({ ...full, path: "/a.B/Fetch", code: status.PERMISSION_DENIED, details: "you may not" })
        yield* TestClock.adjust(10_000)
        tell(full)
      }).pipe(Effect.provide(Logger.layer([logger])))
      const publish = {
        message: "a client was refused: no room",
        method: "a.B/Publish",
        code: "RESOURCE_EXHAUSTED",
        peer: "1.2.3.4:5",
      }
      expect(lines).toEqual([
        publish,
        {
          message: "a client was refused: you may not",
          method: "a.B/Fetch",
          code: "PERMISSION_DENIED",
          peer: "1.2.3.4:5",
        },
        { ...publish, alsoRefused: 3 },
      ])
    }),
  )
})
