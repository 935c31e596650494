/** Who is connected to an exchange, asked from elsewhere. */
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Access } from "../../../src/access/Access.ts"
import * as Broker from "../../../src/broker/index.ts"
import * as Exchange from "../../../src/exchange/index.ts"
import * as Busrt from "../../../src/protocol/busrt/index.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"

const withBroker = Broker.layer({ author: "the tests", version: "1.2.3" })

const served = <E>(access: Layer.Layer<Access>, broker: Layer.Layer<never, E, Exchange.Router>) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "millrace-clients-"))),
      (path) => Effect.sync(() => NodeFs.rmSync(path, { recursive: true })),
    )
    const endpoint: Endpoint = { kind: "unix", path: NodePath.join(directory, "bus.sock") }
    const services = yield* Layer.build(
      Layer.merge(Exchange.layer, broker).pipe(
        Layer.provideMerge(Busrt.layerServer({ endpoints: [endpoint] })),
        Layer.provideMerge(Exchange.Router.layer()),
        Layer.provide(access),
      ),
    )
    return { endpoint, core: Context.get(services, Exchange.Router), local: Context.get(services, Exchange.Exchange) }
  })

const remote = (endpoint: Endpoint, askAs?: string) =>
  Effect.map(Layer.build(Busrt.layerExchange({ endpoint, askAs })), (services) =>
    Context.get(services, Exchange.Exchange),
  )

describe("the clients of an exchange elsewhere", () => {
  it.live("are those that it says itself, but for who asks", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { core, endpoint, local } = yield* served(Access.layerOpen, withBroker)
        const exchange = yield* remote(endpoint)
        const ada = yield* exchange.connect("ada")
        yield* local.connect("bob")
        yield* exchange.connect("ada%%2")
        yield* ada.send("bob", "hello")
        const known = yield* local.clients
        const asked = yield* exchange.clients
        expect(asked.map(({ name }) => name)).toEqual([".broker", "ada", "bob"])
        const [, { dropped: _, ...adaThere }] = known as [unknown, Exchange.ClientInfo]
        expect(asked[1]).toEqual({ ...adaThere, dropped: undefined })
        expect(adaThere).toMatchObject({ kind: "local_ipc", framesIn: 1, bytesIn: 5, instances: 2 })
        // Who asked is gone.
        yield* Effect.repeat(Effect.yieldNow, { until: () => core.size === 4 })
      }),
    ),
  )

  it.live("are not told where rules do not let one ask, or nobody answers, and why is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const rules = Access.layerRules({ principals: { watcher: { send: [".broker"] }, mute: {} } })
        const { endpoint } = yield* served(rules, withBroker)
        expect(yield* (yield* remote(endpoint, "watcher")).clients).toMatchObject([{ name: ".broker" }])
        expect(yield* Effect.flip((yield* remote(endpoint)).clients)).toMatchObject({ _tag: "AccessDenied" })
        expect(yield* Effect.flip((yield* remote(endpoint, "mute")).clients)).toMatchObject({ _tag: "AccessDenied" })

        const brokerless = yield* served(Access.layerOpen, Layer.empty)
        expect(yield* Effect.flip((yield* remote(brokerless.endpoint)).clients)).toMatchObject({
          _tag: "Unavailable",
          message: "who is connected could not be asked: no client named .broker is connected",
        })
        const nowhere = yield* remote({ kind: "unix", path: "/nonexistent/bus.sock" })
        expect(yield* Effect.flip(nowhere.clients)).toMatchObject({ _tag: "Unavailable" })
      }),
    ),
  )
})
