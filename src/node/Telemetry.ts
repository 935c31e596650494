/**
 * Traces, metrics and logs to a collector that speaks OTLP over HTTP.
 *
 * Where the collector is says `--otlp`; everything else that the standard `OTEL_*` variables can say is heard:
 * `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`, endpoints and exporters of single signals …
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeId from "../domain/NodeId.ts"
import type { NodeConfig } from "./NodeConfig.ts"

type Variables = Readonly<Record<string, string | undefined>>

/** What holds where nobody says otherwise: all three signals go to the collector. */
const defaults = (endpoint: string): Variables => ({
  OTEL_SERVICE_NAME: "millrace",
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_LOGS_EXPORTER: "otlp",
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
})

const given = (environment: Variables): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ""),
  )

/** The variables that hold: `--otlp` names the collector, and only that. */
const variables = (endpoint: string, environment: Variables): Record<string, string> => ({
  ...given(defaults(endpoint)),
  ...given(environment),
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
})

const load = Effect.promise(async () => {
  // They bring an HTTP client along: only where it is asked for.
  const [Otlp, OtlpSerialization, FetchHttpClient] = await Promise.all([
    import("effect/observability/Otlp"),
    import("effect/observability/OtlpSerialization"),
    import("effect/http/FetchHttpClient"),
  ])
  return { Otlp, OtlpSerialization, FetchHttpClient }
})

/** Sends what a node tells to its collector, while the scope is open; does nothing where there is to be none. */
export const layer = (config: NodeConfig, environment: Variables): Layer.Layer<never> => {
  const endpoint = config.otlp
  if (endpoint === "off") return Layer.empty
  return Layer.unwrap(
    Effect.map(load, ({ FetchHttpClient, Otlp, OtlpSerialization }) => {
      const set = variables(endpoint, environment)
      const isJson = set["OTEL_EXPORTER_OTLP_PROTOCOL"] === "http/json"
      return Otlp.layerFromConfig({
        resource: { attributes: { "service.instance.id": NodeId.format(config.node) } },
      }).pipe(
        Layer.provide(isJson ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
        Layer.provide(FetchHttpClient.layer),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: set }))),
      )
    }),
  )
}
