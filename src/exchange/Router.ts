/**
 * The routing core as a service: for what serves clients of an exchange in this process, over sockets or otherwise.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { announcer } from "./departures.ts"
import { RoutingCore, type RoutingSettings } from "./RoutingCore.ts"
import * as metrics from "./internal/metrics.ts"

export class Router extends Context.Service<Router, RoutingCore>()("millrace/exchange/Router") {
  /** Disconnects everybody when its scope closes. */
  static readonly layer = (settings: Partial<RoutingSettings> = {}): Layer.Layer<Router> =>
    Layer.effect(
      Router,
      Effect.acquireRelease(
        Effect.sync(() => {
          const core = new RoutingCore(settings)
          core.watch(announcer(core))
          return core
        }),
        (core) => Effect.sync(() => core.close()),
      ).pipe(Effect.tap(metrics.watch)),
    )
}
