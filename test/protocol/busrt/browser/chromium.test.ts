/** Pages in a real browser, at a real node's WebSocket, with a program on the other side that is at its Unix socket. */
import { readFileSync } from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeTopics } from "../../../../src/bridge/index.ts"
import { Exchange } from "../../../../src/exchange/index.ts"
import { layerExchange } from "../../../../src/protocol/busrt/index.ts"
import * as Rpc from "../../../../src/rpc/index.ts"
import { parse } from "../../../../src/transport/Endpoint.ts"
import { makeDirectory, run, startNode } from "../../../cli/program.ts"
import { bundle, pathOf } from "./bundling.ts"
import { Chromium, hasChromium, Pages, type Report } from "./pages.ts"

const page = `<!doctype html><body><script type="module" src="/page.js"></script>`

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const script = async (entry: string) => ({ type: "text/javascript", body: (await bundle(entry)).code }) as const

/** The program that pages speak with, over a socket. */
const connectApp = (socket: string) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(layerExchange({ endpoint: Result.getOrThrow(parse(socket)) }))
    const client = yield* Context.get(services, Exchange).connect("app")
    const rpc: Rpc.Rpc = yield* Rpc.make(client, {
      handlers: { double: ({ params }) => Effect.sync(() => Buffer.from(`${2 * Number(textOf(params))}`)) },
      onNotification: ({ payload, sender }) =>
        Effect.gen(function* () {
          const count = /^send me (\d+)$/.exec(textOf(payload))?.[1]
          if (count !== undefined) {
            const numbers = Array.from({ length: Number(count) }, (_, i) => `${i}`)
            return yield* client.sendAll(sender, numbers, { isProcessed: false })
          }
          const answer = yield* rpc.call(sender, "shout", Buffer.from("is anybody there?"))
          yield* client.publish("news/app", answer)
        }).pipe(Effect.orDie),
    })
    yield* client.subscribe("news/page", "diary/live")
    return rpc
  })

describe.skipIf(!hasChromium())("a page in Chromium", () => {
  const scope = Scope.makeUnsafe()
  let directory = ""
  let rpc: Rpc.Rpc
  let saw: Report
  let strangerSaw: Report
  let received: ReadonlyArray<readonly [from: string, topic: string, text: string]>

  beforeAll(async () => {
    const files = {
      "/": { type: "text/html", body: page },
      "/page.js": await script("test/protocol/busrt/browser/page/page.ts"),
      "/example/": { type: "text/html", body: readFileSync(pathOf("docs/examples/browser/index.html"), "utf8") },
      "/example/board.js": await script("docs/examples/browser/board.ts"),
    } as const
    const pages = await Pages.serve(files)
    const origin = `http://127.0.0.1:${pages.port}`
    directory = makeDirectory()
    const listen = ["--busrt", "ws://127.0.0.1:0", "--busrt", "unix:", "--ws-origin", origin]
    const { report } = await startNode(directory, [...listen, "--durable", "diary/#"])
    for (const [topic, note] of [
      ["diary/old", "first"],
      ["diary/old", "second"],
      ["notes/garden", "paint the fence"],
    ] as const) {
      await run(["publish", topic, note], { cwd: directory })
    }
    const [webSocket, socket] = report["busrt"] as unknown as readonly [string, string]

    rpc = await Effect.runPromise(Scope.provide(connectApp(socket), scope))
    const program = Effect.gen(function* () {
      const all = yield* rpc.inbox.pipe(Stream.take(1 + 5000 + 1), Stream.runCollect)
      const topics = yield* makeTopics(rpc)
      yield* topics.publish("diary/program", "stored by the program")
      return all
    })
    const receiving = Effect.runPromise(program)
    const chromium = new Chromium(`${origin}/?bus=${encodeURIComponent(webSocket)}`)
    await Effect.runPromise(
      Scope.addFinalizer(
        scope,
        Effect.promise(async () => {
          await chromium.close()
          pages.close()
        }),
      ),
    )
    // One is of the same page from another origin, which is not allowed.
    const reports = await Promise.race([pages.reports(2), chromium.failed()])
    saw = reports.find(({ from }) => from === origin)!
    strangerSaw = reports.find(({ from }) => from !== origin)!
    received = (await receiving).map(({ payload, sender, topic }) => [sender, topic, textOf(payload)])
  }, 120_000)

  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it("publishes, and gets what it has subscribed to", () => {
    expect(saw["own"]).toEqual(["web.page news/page from the page, größer"])
    expect(received[0]).toEqual(["web.page", "news/page", "from the page, größer"])
  })

  it("calls a program, and gets its answer or its error", () => {
    expect(saw).toMatchObject({ doubled: "42", refused: "RpcError" })
  })

  it("answers a call", () => {
    expect(saw["answered"]).toEqual(["app news/app IS ANYBODY THERE?"])
  })

  it("gets thousands of messages in order, and sends as many", () => {
    expect(saw["isFloodInOrder"]).toBe(true)
    expect(received.slice(1, -1)).toEqual(Array.from({ length: 5000 }, (_, i) => ["web.page", "", `${i}`]))
  })

  it("gets what was stored before, and goes on with what is stored now, by whomever", () => {
    expect(saw["diary"]).toEqual([
      ["diary/old", 1, "first", {}],
      ["diary/old", 2, "second", {}],
      ["diary/page", 1, "stored by a page", { by: "page" }],
      ["diary/live", 1, "live, and stored", {}],
      ["diary/program", 1, "stored by the program", {}],
    ])
    expect(received.at(-1)).toEqual(["web.page", "diary/live", "live, and stored"])
  })

  it("does not connect where its origin is not allowed", () => {
    expect(strangerSaw).toMatchObject({ failed: "Unavailable" })
  })

  it("of the example pins what is typed into it, which is stored, and can be asked", async () => {
    const { name, items } = saw["example"] as { readonly name: string; readonly items: ReadonlyArray<string> }
    expect(items).toEqual(["paint the fence", "buy milk"])
    const stored = await run(["fetch", "notes/board"], { cwd: directory })
    expect(stored).toMatchObject({ code: 0, stdout: "buy milk\n" })
    expect(textOf(await Effect.runPromise(rpc.call(name, "count")))).toBe("2")
  })
})
