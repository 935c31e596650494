/**
 * Tests that open a store again on the same data.
 */
import { it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StorageSuiteOptions } from "./StorePlace.ts"

/** Registers such a test, unless the place forgets what was in it: then there is nothing to test. */
export const itReopens = <A, E>(
  options: StorageSuiteOptions,
  name: string,
  test: () => Effect.Effect<A, E, Scope.Scope>,
): void => {
  if (options.keepsData !== false) it.live(name, test)
}
