/**
 * Gauges and counters that are read where their value is kept, whenever somebody asks, so that keeping it costs nothing
 * more.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"

/** Shows a value as a gauge until the registration is removed. */
export const register = (
  gauge: Metric.Gauge<number>,
  services: Context.Context<never>,
  read: () => number,
): Metric.Registration =>
  Metric.registerUnsafe(gauge, services, { get: () => ({ value: read() }), update: () => {}, modify: () => {} })

const whileOpen = (registration: () => Metric.Registration): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(Effect.sync(registration), (registered) => Effect.sync(() => registered.remove())),
  )

/** Shows a value as a gauge while the scope is open. */
export const watch = (
  gauge: Metric.Gauge<number>,
  services: Context.Context<never>,
  read: () => number,
): Effect.Effect<void, never, Scope.Scope> => whileOpen(() => register(gauge, services, read))

/** Shows a value that only grows as a counter while the scope is open. */
export const watchCount = (
  counter: Metric.Counter<number>,
  services: Context.Context<never>,
  read: () => number,
): Effect.Effect<void, never, Scope.Scope> =>
  whileOpen(() =>
    Metric.registerUnsafe(counter, services, {
      get: () => ({ count: read(), incremental: true }),
      update: () => {},
      modify: () => {},
    }),
  )
