/** The live plane of a node that runs: where it listens, who connects, what is stored, and how it ends. */
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createConnection, type Socket } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Exchange, type ExchangeClient } from "../../src/exchange/index.ts"
import { layerExchange } from "../../src/protocol/busrt/index.ts"
import * as RpcPayload from "../../src/rpc/codec/payload.ts"
import { MessagePack } from "../../src/rpc/index.ts"
import * as Endpoint from "../../src/transport/Endpoint.ts"
import { anyPorts, makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

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

/** A client that has registered, and does not read on until it is told to. */
const registerRaw = async (path: string, name: string): Promise<Socket> => {
  const socket = createConnection(path)
  const come = async (bytes: number): Promise<Buffer> => {
    for (;;) {
      const chunk = socket.read(bytes) as Buffer | null
      if (chunk !== null) return chunk
      await once(socket, "readable")
    }
  }
  const greeting = await come(3)
  socket.write(greeting)
  await come(1)
  const encoded = Buffer.from(name)
  const length = Buffer.alloc(2)
  length.writeUInt16LE(encoded.length)
  socket.write(Buffer.concat([length, encoded]))
  expect([...(await come(1))]).toEqual([1])
  return socket
}

describe("a node that stops", () => {
  it.live("warns its clients, and what was written for them reaches them, also those that are slow", () =>
    Effect.gen(function* () {
      const running = yield* node("--drain", "20s")
      const [endpoint] = endpointsOf(running)
      const slow = yield* Effect.promise(() => registerRaw(endpoint!.slice("unix:".length), "slow"))
      const ada = yield* connect(endpoint!, "ada")
      // Far more than a socket takes, and less than may wait for one client.
      const count = 300
      const payload = Buffer.alloc(64 * 1024, "x")
      yield* ada.sendAll(
        "slow",
        Array.from({ length: count }, () => payload),
      )
      const stopping = running.command.stop()
      yield* Effect.promise(() => running.command.until(({ stderr }) => stderr.includes("stopping")))
      const received = yield* Effect.promise(async () => {
        const chunks: Array<Buffer> = []
        for await (const chunk of slow) chunks.push(chunk as Buffer)
        return Buffer.concat(chunks)
      })
      let frames = 0
      const warnings: Array<string> = []
      for (let at = 0; at < received.length;) {
        const kind = received[at]!
        const length = kind === 0 || kind === 0xfe ? 0 : received.readUInt32LE(at + 1)
        if (kind === 0x12) frames++
        if (kind === 0x01) warnings.push(received.toString("utf8", at + 6, at + 6 + length))
        at += 6 + length
      }
      expect(frames).toBe(count)
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(/^\.broker\0\.broker\/warn\0.*shutdown/s)
      expect(yield* Effect.promise(() => stopping)).toMatchObject({ code: 0 })
    }).pipe(Effect.scoped),
  )
})

describe("serve --control-fifo", () => {
  it.live("does what is written there, a line each, in the name of .fifo", () =>
    Effect.gen(function* () {
      const running = yield* node("--control-fifo", "control")
      const path = join(running.cwd, "control")
      expect(statSync(path).isFIFO()).toBe(true)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const ada = yield* connect(endpointsOf(running)[0]!, "ada")
      yield* ada.subscribe("news")
      writeFileSync(path, "ada hello there\n\nnobody hello\na\n?  to all\n=news it rains\n")
      writeFileSync(path, `ada ${"x".repeat(70_000)}\n`)
      writeFileSync(path, 'ada .noted\nada :order.place id=7 note="two words"\n')
      const received = yield* ada.inbox.pipe(Stream.take(5), Stream.runCollect)
      expect(received.map(({ kind, sender, topic }) => [kind, sender, topic])).toEqual([
        ["message", ".fifo", ""],
        ["broadcast", ".fifo", ""],
        ["publication", ".fifo", "news"],
        ["message", ".fifo", ""],
        ["message", ".fifo", ""],
      ])
      const payloads = received.map(({ payload }) => payload)
      expect(payloads.slice(0, 3).map((payload) => Buffer.from(payload).toString())).toEqual([
        "hello there",
        "to all",
        "it rains",
      ])
      expect(RpcPayload.decode(payloads[3]!)).toMatchObject({ type: "notification" })
      const request = RpcPayload.decode(payloads[4]!)
      if (request.type !== "request") throw new Error(`not a request: ${request.type}`)
      expect([request.callId, request.method]).toEqual([0, "order.place"])
      expect(Result.getOrThrow(MessagePack.decode(request.params))).toEqual({ id: 7, note: "two words" })
      for (const why of ["no client named nobody is connected", "it has no message", "it is longer than 65536 bytes"]) {
        const warning = `a line of the control FIFO could not be done: ${why}`
        yield* Effect.promise(() => running.command.until(({ stderr }) => stderr.includes(warning)))
      }
      expect((yield* Effect.promise(() => running.command.stop())).code).toBe(0)
      expect(existsSync(path)).toBe(false)
    }).pipe(Effect.scoped),
  )

  it("uses a pipe that is there, and refuses what is none", async () => {
    const cwd = makeDirectory()
    execFileSync("mkfifo", ["-m", "620", join(cwd, "pipe")])
    const running = await startNode(cwd, ["--control-fifo", "pipe"])
    expect(statSync(join(cwd, "pipe")).mode & 0o777).toBe(0o620)
    expect((await running.command.stop()).code).toBe(0)
    expect(statSync(join(cwd, "pipe")).isFIFO()).toBe(true)

    writeFileSync(join(cwd, "letter.txt"), "Dear reader,\n")
    for (const [path, why] of [
      ["letter.txt", "there is a file of that name that is no named pipe"],
      ["none/pipe", "No such file or directory"],
    ]) {
      const refused = await run(["serve", "--control-fifo", path!, ...anyPorts], { cwd })
      expect(refused.stderr).toMatch(new RegExp(`^millrace: the control FIFO .*${path} cannot be used: ${why}\n$`))
      expect(refused.code).toBe(1)
    }
    expect(readFileSync(join(cwd, "letter.txt"), "utf8")).toBe("Dear reader,\n")
  })
})
