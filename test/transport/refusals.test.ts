import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Refusals from "../../src/transport/refusals.ts"

describe("clients that are turned away", () => {
  it.effect("are told of in the log, once in ten seconds for each kind", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.map(
        Logger.formatStructured,
        ({ annotations, message }) => void lines.push({ message, ...annotations }),
      )
      yield* Effect.gen(function* () {
        const tell = Refusals.make(yield* Effect.context<never>())
        const full = { kind: "full", sentence: "a client was refused: no room", annotations: { peer: "1.2.3.4:5" } }
        for (let i = 0; i < 4; i++) tell(full)
        tell({ kind: "may not", sentence: "a client was refused: you may not", annotations: {} })
        yield* TestClock.adjust(10_000)
        tell(full)
      }).pipe(Effect.provide(Logger.layer([logger])))
      const full = { message: "a client was refused: no room", peer: "1.2.3.4:5" }
      expect(lines).toEqual([full, { message: "a client was refused: you may not" }, { ...full, alsoRefused: 3 }])
    }),
  )
})
