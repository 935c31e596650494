/** A node in this process: its app is a client like those that connect over sockets. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Exchange, type ExchangeClient } from "../../src/exchange/index.ts"
import { ConfigSources, layer as layerNode, RunningNode } from "../../src/node/index.ts"
import { layer as layerOverSocket } from "../../src/protocol/busrt/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { Topics } from "../../src/topics/index.ts"
import * as Endpoint from "../../src/transport/Endpoint.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "millrace-embedded-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

const firstText = (client: ExchangeClient) =>
  client.inbox.pipe(
    Stream.take(1),
    Stream.runCollect,
    Effect.map(([received]) => `${received?.sender} ${new TextDecoder().decode(received?.payload)}`),
  )

it.live("an embedded node's app connects in process, to clients on sockets and to what is stored", () =>
  Effect.gen(function* () {
    const config = yield* ConfigSources.load({
      flags: { data: yield* directory, storage: "memory:", grpc: "off", admin: "off", durable: ["orders/#"] },
      environment: {},
    })
    const node = yield* Layer.build(layerNode(config))
    const { busrt } = Context.get(node, RunningNode)
    expect(busrt?.map((text) => Result.getOrThrow(Endpoint.parse(text)).kind)).toEqual(["unix"])
    const app = yield* Context.get(node, Exchange).connect("app")

    const elsewhere = yield* Layer.build(layerOverSocket({ url: busrt![0]! }))
    const remote = yield* Context.get(elsewhere, Exchange).connect("remote")
    yield* app.send("remote", "from inside")
    expect(yield* firstText(remote)).toBe("app from inside")
    yield* remote.send("app", "from outside")
    expect(yield* firstText(app)).toBe("remote from outside")

    yield* remote.subscribe("orders/+")
    yield* app.publish("orders/eu", "stored first")
    expect(yield* firstText(remote)).toBe("app stored first")
    const [message] = yield* Context.get(elsewhere, Topics).fetch("orders/eu")
    expect(new TextDecoder().decode(message?.payload)).toBe("stored first")

    // The node's own clients are there for its app as well.
    const rpc = yield* Rpc.make(yield* Context.get(node, Exchange).connect("caller"))
    const answer = yield* rpc.call(".broker", "test")
    expect(Result.getOrThrow(Rpc.MessagePack.decode(answer))).toEqual({ ok: true })
  }).pipe(Effect.scoped),
)
