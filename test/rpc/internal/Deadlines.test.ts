/** What has a deadline ends at it, and what is over before is kept no longer. */
import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Deadlines } from "../../../src/rpc/internal/Deadlines.ts"

it.effect("deadlines are kept, and forgotten where they are not needed", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const clock = yield* Clock.clockWith(Effect.succeed)
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const expired: Array<number> = []
      let timers = 0
      const deadlines = new Deadlines<number>(
        clock,
        (effect) => {
          timers++
          run(Effect.forkIn(effect, scope, { startImmediately: true }))
        },
        (item) => expired.push(item),
      )
      for (let n = 0; n < 1000; n++) {
        deadlines.add(n, n % 2 === 0 ? 1000 : 2000)
        yield* TestClock.adjust(1)
        if (n >= 10) deadlines.remove(n, n % 2 === 0 ? 1000 : 2000)
      }
      expect([deadlines.size, expired, timers]).toEqual([9, [0], 2])
      yield* TestClock.adjust(8)
      expect(expired).toEqual([0, 2, 4, 6, 8])
      yield* TestClock.adjust(993)
      expect(expired).toEqual([0, 2, 4, 6, 8, 1])
      yield* TestClock.adjust("1 minute")
      expect([deadlines.size, expired.length]).toEqual([0, 10])
    }),
  ),
)
