/** The live plane of a node that runs: where it listens, who connects, what is stored, and how it ends. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Exchange, type ExchangeClient } from "../../src/exchange/index.ts"
import { layerExchange } from "../../src/protocol/busrt/index.ts"
import * as Endpoint from "../../src/transport/Endpoint.ts"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const endpointsOf = ({ report }: NodeProcess): ReadonlyArray<string> => {
  const { busrt } = report as { readonly busrt?: ReadonlyArray<string> }
  return busrt ?? []
}

const connect = (endpoint: string, name: string) =>
  Effect.gen(function* () {
    const layer = layerExchange({ endpoint: Result.getOrThrow(Endpoint.parse(endpoint)) })
    return yield* Context.get(yield* Layer.build(layer), Exchange).connect(name)
  })

const take = (client: ExchangeClient, count: number) =>
  client.inbox.pipe(
    Stream.take(count),
    Stream.runCollect,
    Effect.map((all) => all.map(({ sender, payload }) => `${sender} ${new TextDecoder().decode(payload)}`)),
  )

const node = (...args: ReadonlyArray<string>) => Effect.promise(() => startNode(makeDirectory(), args))

describe("serve --busrt", () => {
  it.live("serves clients of every endpoint together, and says where they are", () =>
    Effect.gen(function* () {
      const running = yield* node("--busrt", "unix:", "--busrt", "tcp:127.0.0.1:0", "--busrt", "ws://[::1]:0")
      const endpoints = endpointsOf(running)
      expect(endpoints).toEqual([
        `unix:${join(running.cwd, "millrace-data", "millrace.sock")}`,
        expect.stringMatching(/^tcp:127\.0\.0\.1:[1-9]\d*$/),
        expect.stringMatching(/^ws:\/\/\[::1\]:[1-9]\d*\/$/),
      ])
      const published = JSON.parse(readFileSync(join(running.cwd, "millrace-data", "endpoints.json"), "utf8")) as object
      expect(published).toMatchObject({ busrt: endpoints })
      const clients = yield* Effect.forEach(endpoints, (endpoint, i) => connect(endpoint, `client.${i}`))
      yield* clients[0]!.broadcast("client.*", "hello")
      for (const client of clients) expect(yield* take(client, 1)).toEqual(["client.0 hello"])
    }).pipe(Effect.scoped),
  )

  it("has a socket elsewhere where the path of the data directory is too long for one", async () => {
    const data = join(makeDirectory(), "a-long-name".repeat(10))
    const runtime = makeDirectory()
    const running = await startNode(makeDirectory(), ["--data", data], { env: { XDG_RUNTIME_DIR: runtime } })
    const [endpoint] = endpointsOf(running)
    expect(endpoint).toMatch(new RegExp(`^unix:${runtime}/millrace/[0-9a-f]{16}\\.sock$`))
    expect(existsSync(endpoint!.slice("unix:".length))).toBe(true)
    expect((await running.command.stop()).code).toBe(0)
    expect(existsSync(endpoint!.slice("unix:".length))).toBe(false)
  })

  it("says in a sentence where it cannot listen", async () => {
    const cwd = makeDirectory()
    const missing = await run(["serve", "--busrt", "unix:none/bus.sock", "--grpc", "off", "--admin", "off"], { cwd })
    expect(missing.stderr).toMatch(/^millrace: cannot listen on unix:.*none\/bus\.sock: [^\n]*no such[^\n]*\n$/)
    expect(missing.code).toBe(1)
  })

  it.live("may be off", () =>
    Effect.gen(function* () {
      const running = yield* node("--busrt", "off")
      expect(running.report).not.toHaveProperty("busrt")
      expect(existsSync(join(running.cwd, "millrace-data", "millrace.sock"))).toBe(false)
    }),
  )

  it.live("gives a name that is taken to nobody else, unless told --force-register", () =>
    Effect.gen(function* () {
      const [strict] = endpointsOf(yield* node())
      yield* connect(strict!, "ada")
      expect(yield* Effect.flip(connect(strict!, "ada"))).toMatchObject({ _tag: "NameTaken" })
      const [forced] = endpointsOf(yield* node("--force-register"))
      yield* connect(forced!, "ada")
      const second = yield* connect(forced!, "ada")
      yield* second.send("ada", "to myself")
      expect(yield* take(second, 1)).toEqual(["ada to myself"])
    }).pipe(Effect.scoped),
  )

  it.live("stores what live clients publish on --durable topics, and delivers what others have stored", () =>
    Effect.gen(function* () {
      const running = yield* node("--durable", "orders/#", "--durable", "log")
      const ada = yield* connect(endpointsOf(running)[0]!, "ada")
      yield* ada.subscribe("#")
      yield* ada.publish("orders/eu", "live and stored")
      yield* ada.publish("weather", "live alone")
      const { cwd } = running
      yield* Effect.promise(() => run(["publish", "orders/us", "from elsewhere"], { cwd }))
      expect(yield* take(ada, 3)).toEqual(["ada live and stored", "ada live alone", ".bus from elsewhere"])
      const heads = yield* Effect.promise(() => run(["heads"], { cwd }))
      expect(heads.stdout).toBe("orders/eu@tenant/default/device 1\norders/us@tenant/default/device 1\n")
    }).pipe(Effect.scoped),
  )
})
