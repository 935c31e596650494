/**
 * The laws of the live plane, in this process and over sockets, and the bugs that they must find. `LAW_RUNS` sets how
 * many programs run in this process.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Exchange from "../../src/exchange/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"
import * as ExchangeLaws from "../../src/testing/exchangeLaws.ts"
import type { Endpoint } from "../../src/transport/Endpoint.ts"
import { served, untilThere } from "../protocol/busrt/served.ts"
import { bugs, plant } from "./plantedBugs.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 600)

const inProcess = ({ layer, Router }: Pick<typeof Exchange, "layer" | "Router">) => ({
  layer: Layer.provide(layer, Router.layer()),
  patienceMillis: 1000,
})

const endpoints: ReadonlyArray<readonly [string, (directory: string) => Endpoint]> = [
  ["a Unix socket", (directory) => ({ kind: "unix", path: join(directory, "bus.sock") })],
  ["TCP", () => ({ kind: "tcp", host: "127.0.0.1", port: 0 })],
  ["a WebSocket", () => ({ kind: "ws", host: "127.0.0.1", port: 0, path: "/" })],
]

describe("the exchange keeps its law", () => {
  it.live("in this process", () => ExchangeLaws.routing(() => inProcess(Exchange), { runs }), 60_000)

  it.live.each(endpoints)(
    "over %s",
    ([, place]) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { core, endpoint } = yield* Scope.provide(served({}, {}, place), scope)
        const filters = core.subscriptions
        yield* ExchangeLaws.routing({ layer: Busrt.layerExchange({ endpoint }) }, { runs: runs / 10 })
        // The broker itself stays.
        yield* Effect.promise(() => untilThere(core, 1))
        expect(core.subscriptions).toBe(filters)
        yield* Scope.close(scope, Exit.void)
        expect(core.isEmpty).toBe(true)
      }),
    60_000,
  )
})

describe("the law finds", () => {
  const seen = [
    "a way that is remembered after an unsubscription",
    "exclusions that are ignored",
    "a copy for each filter that matches",
    "a secondary that outlives its primary",
    "a sender that does not get its own broadcast",
    "an answer before the routing",
    "a publication for one receiver that all get",
  ]
  it.live.each(seen)(
    "%s",
    (name) =>
      Effect.gen(function* () {
        const { exchange } = yield* Effect.acquireRelease(
          Effect.promise(() => plant(bugs[name]!)),
          ({ dispose }) => Effect.sync(dispose),
        )
        const broken = yield* Effect.flip(
          ExchangeLaws.routing(() => ({ ...inProcess(exchange), patienceMillis: 100 }), { runs: 5000, shrink: false }),
        )
        expect(broken._tag).toBe("LawBroken")
      }).pipe(Effect.scoped),
    120_000,
  )
})
