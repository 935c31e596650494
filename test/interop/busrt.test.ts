/**
 * BUS/RT as its own clients speak it: the two Python libraries of its authors, unmodified, over a Unix socket and TCP.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Access } from "../../src/access/Access.ts"
import * as Broker from "../../src/broker/index.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Busrt from "../../src/protocol/busrt/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import type { Endpoint } from "../../src/transport/Endpoint.ts"
import { makeDirectory, run, startNode } from "../cli/program.ts"
import { skipsPython, withPythonClients } from "./pythonClients.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "millrace-interop-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true })),
)

const endpoints = {
  "a Unix socket": (path: string): Endpoint => ({ kind: "unix", path: join(path, "bus.sock") }),
  TCP: (): Endpoint => ({ kind: "tcp", host: "127.0.0.1", port: 0 }),
}

/** A broker that listens, where the libraries find it, and its exchange for clients of ours. */
const open = Effect.fnUntraced(function* (place: (directory: string) => Endpoint) {
  const services = yield* Layer.build(
    Broker.layer({ author: "the tests", version: "1.2.3" }).pipe(
      // Who says nothing for 2.5 seconds is gone; the libraries are told to ping more often.
      Layer.provideMerge(
        Busrt.layerServer({ endpoints: [place(yield* directory)], settings: { timeoutMillis: 2000 } }),
      ),
      Layer.provideMerge(Exchange.layer),
      Layer.provideMerge(Exchange.Router.layer()),
      Layer.provide(Access.layerOpen),
    ),
  )
  const [endpoint] = Context.get(services, Busrt.BusrtServer).endpoints
  const remote = yield* Layer.build(Busrt.layerExchange({ endpoint: endpoint! }))
  const path =
    endpoint!.kind === "unix" ? endpoint!.path : "host" in endpoint! ? `${endpoint!.host}:${endpoint!.port}` : ""
  return { path, core: Context.get(services, Exchange.Router), exchange: Context.get(remote, Exchange.Exchange) }
})

const each = ["busrt", "busrt_async"].flatMap((library) =>
  Object.entries(endpoints).map(([over, place]) => ({ library, over, place })),
)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

// Each waits now and then: for the other side, or for a silence to be over.
describe.skipIf(skipsPython)("the Python clients of BUS/RT", { concurrent: true }, () => {
  const python = withPythonClients()

  it.live.each(each)(
    "send, broadcast, publish and subscribe: $library over $over",
    ({ library, place }) =>
      Effect.gen(function* () {
        const { core, path } = yield* open(place)
        const { code, lines, told } = yield* Effect.promise(() => python.start("frames.py", library, path).ended)
        // A client that its broker disconnects says so.
        expect([code, code === 0 ? "" : told]).toEqual([0, ""])
        const qos = [0, 1, 2, 3]
        expect(lines).toEqual([
          ...qos.map((n) => `1 0x12 from py.ada: qos ${n}`),
          "nobody 0x71",
          "no target 0x71",
          ...qos.map((n) => `1 0x13 from py.ada: qos ${n} | 0x13 from py.ada: qos ${n}`),
          "subscribe 1",
          "subscribe 1",
          ...qos.map((n) => `1 0x1 from py.ada on news/local: qos ${n} | 0x1 from py.ada on news/local: qos ${n}`),
          "0x1 from py.ada on weather/north/today: cold",
          "unsubscribe 1",
          "0x1 from py.ada on weather/south/today: warm",
          "in order True",
          "1 1048576 True",
          "empty 1 0",
          "taken Server response: 0x76",
          "reserved Server response: 0x72",
          "no primary Server response: 0x71",
          "too long Server response: 0x72",
          "taken Server response: 0x76",
          "1 0x12 from py.ada%%2: from a secondary",
          "1 0x12 from py.bob: to a secondary",
          ".broker .broker/info True",
          ".broker .broker/info True",
          "connected False",
          ".broker/info True",
          "gone 0x71 0x71",
          "still there 1 0x12 from py.bob: me",
        ])
        expect([...core.members].filter(({ kind }) => kind !== "internal")).toEqual([])
      }).pipe(Effect.scoped),
    60_000,
  )

  it.live.each(each)(
    "call, answer and notify: $library over $over",
    ({ library, place }) =>
      Effect.gen(function* () {
        const { exchange, path } = yield* open(place)
        const told: Array<string> = []
        const js = yield* Rpc.make(yield* exchange.connect("js"), {
          handlers: {
            upper: ({ params, sender }) => {
              told.push(`upper ${sender}`)
              return Effect.succeed(bytes(new TextDecoder().decode(params).toUpperCase()))
            },
            fails: () => Effect.fail(Rpc.rpcError(-7, "not today")),
          },
          onNotification: ({ payload, sender }) =>
            Effect.sync(() => told.push(`notified ${sender} ${new TextDecoder().decode(payload)}`)),
        })
        const program = python.start("calls.py", library, path)
        yield* Effect.promise(() => program.until("ready"))

        const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)
        expect(text(yield* js.call("py.bob", "echo", bytes("größe")))).toBe("größe")
        expect(text(yield* js.call("py.bob", "who"))).toBe("js")
        expect(text(yield* js.call("py.bob", "nothing"))).toBe("")
        expect(yield* Effect.flip(js.call("py.bob", "missing"))).toMatchObject({ _tag: "RpcError", code: -32601 })
        yield* js.callNoReply("py.ada", "remember", bytes("this"))
        yield* js.notify("py.ada", "end")
        const { code, lines, told: complaints } = yield* Effect.promise(() => program.ended)
        expect([code, complaints]).toEqual([0, ""])
        expect(lines.filter((line) => !line.startsWith("told"))).toEqual([
          "b'\\x00\\xffdata'",
          "b''",
          "(-32601, 'no method missing')",
          "(-32113, 'RPC error')",
          "1 b'remember me'",
          "1 b'news'",
          "b'\\x81\\xa2ok\\xc3'",
          expect.stringMatching(/^\(-32601, /),
          "-32602",
          "b'any bytes'",
          "True",
          "True",
          "True",
          "b'LETTERS'",
          "(-7, 'not today')",
          expect.stringMatching(/^\(-32601, /),
          "1 1",
          "ready",
        ])
        expect(told.toSorted()).toEqual(["notified py.ada from python", "upper py.ada", "upper py.ada"])
      }).pipe(Effect.scoped),
    60_000,
  )

  it("in the program of the guide, with a node", async () => {
    const cwd = makeDirectory()
    const node = await startNode(cwd)
    const program = fileURLToPath(new URL("../../docs/examples/python/live.py", import.meta.url))
    const { code, lines, told } = await python.start(program, join(cwd, "millrace-data", "millrace.sock")).ended
    expect([code, told]).toEqual([0, ""])
    expect(lines).toEqual([
      "published True",
      "sensors/kitchen/temperature from home.panel: 21.5",
      "{'set': 22}",
      "-32602 99 is too hot",
      "-32601 there is no such method",
    ])
    expect((await node.command.stop()).code).toBe(0)
  }, 120_000)

  it.each(["busrt", "busrt_async"])(
    "have the durable plane by way of .bus: %s",
    async (library) => {
      const cwd = makeDirectory()
      const node = await startNode(cwd, ["--durable", "orders/#"])
      const program = python.start("bus.py", library, join(cwd, "millrace-data", "millrace.sock"))
      await program.until("ready")
      const published = await run(["publish", "orders/eu", "a chair", "--url", node.report["grpc"]!], { cwd })
      expect(published.code).toBe(0)
      const { code, lines, told } = await program.ended
      expect([code, told]).toEqual([0, ""])
      expect(lines).toEqual([
        "notes tenant/default/device 1",
        "repeated True",
        "(-31003, 'KeyConflict')",
        "(-31001, 'NotPermitted')",
        "[2]",
        "[(1, b'one', {'a': 'b'}), (2, b'\\x00\\xff', None)]",
        "2 ['notes']",
        "{'deleted': 1}",
        "subscribe 1",
        "1 b'a lamp'",
        "[('orders/eu', 1, b'a lamp')]",
        "ready",
        ".bus orders/eu b'a chair'",
        "[('orders/eu', 2, b'a chair')]",
        "(-31014, 'SessionUnknown')",
        "b'to ada'",
        "True 1",
        "{'accepted': True} {'accepted': False}",
        "[b'to bob']",
        "-32601 -32700",
      ])
      expect((await node.command.stop()).code).toBe(0)
    },
    120_000,
  )
})
