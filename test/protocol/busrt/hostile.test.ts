/**
 * Clients that mean no good, or that do not know better: whatever one of them does, it harms nobody but itself, and
 * nothing of it is left.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Qos } from "../../../src/protocol/busrt/codec/qos.ts"
import { ClientFrameWriter } from "../../../src/protocol/busrt/codec/clientFrames.ts"
import { greeting, registration } from "../../../src/protocol/busrt/codec/handshake.ts"
import { ResultCode } from "../../../src/protocol/busrt/codec/results.ts"
import { fuzz } from "../../support/fuzzing.ts"
import { RawClient } from "./RawClient.ts"
import { served, untilThere } from "./served.ts"

const text = (payload: string): Uint8Array => Buffer.from(payload)
const written = (write: (writer: ClientFrameWriter) => void): Uint8Array => {
  const writer = new ClientFrameWriter()
  write(writer)
  return writer.finish()
}

/** The broker itself is always there. */
const nobody = 1

let visitors = 0

/** Whether others are served: a client comes, is answered, and goes. */
const isWell = async (endpoint: Parameters<typeof RawClient.open>[0]): Promise<void> => {
  const name = `visitor.${++visitors}`
  const client = await RawClient.connected(endpoint, name)
  expect(await client.ask((to, opId) => to.message(opId, Qos.processed, name, text("me")))).toEqual([ResultCode.ok])
  client.socket.destroy()
}

describe("before it has registered, a client", () => {
  it.live("that stops in the middle of its handshake is cut off, and keeps nothing", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served({ handshakeMillis: 200 })
      const name = registration("half.a.name")
      const whole = Buffer.concat([greeting, name])
      yield* Effect.promise(async () => {
        const pieces = Array.from({ length: whole.length - 1 }, (_, length) => whole.subarray(0, length))
        const clients = await Promise.all(pieces.map(() => RawClient.open(endpoint)))
        clients.forEach(({ socket }, at) => socket.write(pieces[at]!))
        await Promise.all(clients.map((client) => client.closed))
        for (const [at, { handshake }] of clients.entries()) {
          expect(handshake).toEqual(at < greeting.length ? [...greeting] : [...greeting, ResultCode.ok])
        }
        await isWell(endpoint)
        await untilThere(core, nobody)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that speaks another protocol is told so", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      yield* Effect.promise(async () => {
        for (const said of ["GET / HTTP/1.1\r\n\r\n", Uint8Array.of(0xeb, 2, 0), Uint8Array.of(0, 0, 0)]) {
          const client = await RawClient.open(endpoint)
          client.socket.write(said)
          await client.closed
          expect(client.handshake).toEqual([...greeting, ResultCode.notSupported])
        }
        // It has sent more than anybody needs to.
        const client = await RawClient.open(endpoint)
        client.socket.write(Buffer.concat([greeting, Uint8Array.of(0xff, 0x0f), Buffer.alloc(1024 * 1024, "x")]))
        await client.closed
        expect(core.size).toBe(nobody)
        await isWell(endpoint)
      })
    }).pipe(Effect.scoped),
  )

  it.live("gets no name that it must not have", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      const { busy, data, notRegistered, ok } = ResultCode
      const cases: ReadonlyArray<readonly [name: string | Uint8Array, answer: number]> = [
        ["a", ok],
        ["a", busy],
        ["x".repeat(1024), ok],
        ["x".repeat(1025), data],
        [Array.from({ length: 65 }, () => "x").join("."), data],
        ["", data],
        [" ", data],
        [".a", data],
        [".broker", data],
        [".broker%%1", data],
        ["a\0b", data],
        [Uint8Array.of(2, 0, 0xc3, 0x28), data],
        ["%%", data],
        ["%%a", data],
        ["a%%", data],
        ["a%%1", ok],
        ["a%%1", busy],
        ["b%%1", notRegistered],
        // A suffix is what follows the first, so these are no secondaries of a secondary.
        ["a%%1%%2", ok],
        ["b%%a%%1", notRegistered],
        ["a%%%", ok],
        ["a%", ok],
      ]
      yield* Effect.promise(async () => {
        const before = core.size
        for (const [name, answer] of cases) {
          const [client, told] = await RawClient.register(endpoint, name)
          expect([name, told]).toEqual([name, answer])
          if (answer !== ok) await client.closed
        }
        expect(core.size - before).toBe(cases.filter(([, answer]) => answer === ok).length)
        expect(core.find("a")!.secondaries.size).toBe(3)
      })
    }).pipe(Effect.scoped),
  )
})

describe("once it has registered, a client", () => {
  it.live("whose frames come byte by byte is served as any other", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      const { no, processed, realtime, realtimeProcessed } = Qos
      const frames = written((to) => {
        to.topics("subscribe", 1, processed, ["a/#", "b"])
        to.topics("exclude", 2, processed, ["a/x"])
        to.publish(3, processed, "a/x", text("excluded"))
        to.ping()
        to.publish(4, realtimeProcessed, "a/b", text("one"))
        to.publishFor(5, processed, "b", "drop", text("two"))
        to.message(6, no, "drop", text(""))
        to.broadcast(7, realtime, "dro?", text("nobody"))
        to.broadcast(8, processed, "?", text("three"))
        to.message(9, processed, "nobody", text("x"))
        to.topics("unexclude", 10, processed, ["a/x"])
        to.topics("unsubscribe", 11, processed, ["b"])
        to.publish(12, processed, "b", text("unsubscribed"))
        to.publish(13, processed, "a/x", text("four"))
      })
      const answers = async (cut: ReadonlyArray<Uint8Array>) => {
        const client = await RawClient.connected(endpoint, "drop")
        for (const piece of cut) await new Promise((done) => client.socket.write(piece, done))
        await client.until(() => client.frames.some((frame) => frame.type === "ack" && frame.opId === 13))
        client.socket.end()
        await client.closed
        await untilThere(core, nobody)
        return client.frames
      }
      yield* Effect.promise(async () => {
        const whole = await answers([frames])
        expect(whole.length).toBe(16)
        expect(await answers([...frames].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
        for (let at = 1; at < frames.length; at += 7) {
          expect(await answers([frames.subarray(0, at), frames.subarray(at)])).toEqual(whole)
        }
      })
    }).pipe(Effect.scoped),
  )

  it.live("that announces more than it may is disconnected, and nothing is taken for it", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      yield* Effect.promise(async () => {
        const external = process.memoryUsage().arrayBuffers
        for (const length of [
          [0xff, 0xff, 0xff, 0xff],
          [0, 0, 0, 0x80],
          [1, 0, 0, 1],
        ]) {
          const client = await RawClient.connected(endpoint, "large")
          client.socket.write(Uint8Array.of(0, 0, 0, 0, 0x12, ...length, 1, 2, 3))
          await client.closed
          await untilThere(core, nobody)
        }
        // As much as there may be is no reason, but only what has come is kept.
        const clients = await Promise.all(
          Array.from({ length: 50 }, (_, i) => RawClient.connected(endpoint, `patient.${i}`)),
        )
        for (const { socket } of clients) socket.write(Uint8Array.of(0, 0, 0, 0, 0x12, 0, 0, 0, 1, 0x61))
        await isWell(endpoint)
        expect(process.memoryUsage().arrayBuffers - external).toBeLessThan(50 * 1024 * 1024)
        for (const { socket } of clients) socket.destroy()
        await untilThere(core, nobody)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that sends what makes no sense harms nobody", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      const before = core.subscriptions
      const source = written((to) => {
        to.message(1, Qos.processed, "garbage", text("payload"))
        to.topics("subscribe", 2, Qos.processed, ["#", "a/+", "a/#/b"])
        to.publishFor(3, Qos.realtime, "a/b", "garbage", text("payload"))
        to.broadcast(4, Qos.processed, "*", text("payload"))
      })
      const inputs: Array<Buffer> = []
      fuzz(300, Buffer.from(source), (input) => {
        inputs.push(Buffer.from(input))
      })
      yield* Effect.promise(async () => {
        const witness = await RawClient.connected(endpoint, "witness")
        await Promise.all(
          inputs.map(async (input, at) => {
            const client = await RawClient.connected(endpoint, `garbage.${at}`)
            client.socket.end(input)
            client.socket.resume()
            await client.closed
          }),
        )
        await untilThere(core, nobody + 1)
        expect(await witness.ask((to, opId) => to.message(opId, Qos.processed, "witness", text("x")))).toEqual([
          ResultCode.ok,
        ])
        expect(core.subscriptions - core.find("witness")!.filters.size).toBe(before)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that is gone in the middle of a frame leaves nothing behind", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      const before = core.subscriptions
      const frame = written((to) => {
        to.topics("subscribe", 1, Qos.processed, ["a/#"])
        to.publish(2, Qos.processed, "a/b", Buffer.alloc(100_000, "x"))
      })
      yield* Effect.promise(async () => {
        for (let round = 0; round < 5; round++) {
          const clients = await Promise.all(
            Array.from({ length: 40 }, (_, i) => RawClient.connected(endpoint, `sudden.${i}`)),
          )
          for (const [at, { socket }] of clients.entries()) {
            socket.write(frame.subarray(0, Math.floor((frame.length * at) / clients.length)), () => {
              socket.destroy()
            })
          }
          await untilThere(core, nobody)
        }
        await isWell(endpoint)
        await untilThere(core, nobody)
        expect(core.subscriptions).toBe(before)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that does nothing but ping is answered when it asks for something", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      yield* Effect.promise(async () => {
        const client = await RawClient.connected(endpoint, "pinging")
        for (let i = 0; i < 50; i++) client.socket.write(Buffer.alloc(9 * 20_000))
        await isWell(endpoint)
        expect(await client.ask((to, opId) => to.message(opId, Qos.processed, "pinging", text("x")))).toEqual([1])
        expect(core.find("pinging")!.framesIn).toBe(1)
      })
    }).pipe(Effect.scoped),
  )

  it.live("subscribes to no more than it may", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served({}, { subscriptionsMax: 10_000 })
      const { busy, data, ok } = ResultCode
      const before = core.subscriptions
      const topics = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `t/${from + i}`)
      yield* Effect.promise(async () => {
        const client = await RawClient.connected(endpoint, "greedy")
        const subscribe = (wanted: ReadonlyArray<string>, acks?: number) =>
          client.ask((to, opId) => to.topics("subscribe", opId, Qos.processed, wanted), acks)
        expect(await subscribe(topics(8192))).toEqual([ok])
        // Each that is one too many is said so. It is subscribed to the broker's warnings from the start.
        expect(await subscribe(topics(2000, 8192), 194)).toEqual([...Array.from({ length: 193 }, () => busy), ok])
        expect(await subscribe(topics(8192))).toEqual([ok])
        expect(await client.ask((to, opId) => to.topics("exclude", opId, Qos.processed, ["x"]), 2)).toEqual([busy, ok])
        expect(core.subscriptions - before).toBe(10_000)
        // More than one frame may name; one that is too deep, one too long.
        const tooMany = Buffer.from(topics(8193).join("\0"))
        const header = Buffer.from([77, 0, 0, 0, 0x42, 0, 0, 0, 0])
        header.writeUInt32LE(tooMany.length, 5)
        client.socket.write(Buffer.concat([header, tooMany]))
        await client.until(() => client.frames.some((frame) => frame.type === "ack" && frame.opId === 77))
        expect(client.frames.at(-1)).toMatchObject({ opId: 77, result: data })
        expect(await subscribe(["a/".repeat(64) + "a"], 2)).toEqual([data, ok])
        await isWell(endpoint)
        client.socket.destroy()
        await untilThere(core, nobody)
        expect(core.subscriptions).toBe(before)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that takes no answers is not read from any further, until it does", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served()
      const count = 200_000
      yield* Effect.promise(async () => {
        const client = await RawClient.connected(endpoint, "deaf")
        client.keepsFrames = false
        client.socket.pause()
        client.send((to) => {
          for (let i = 0; i < count; i++) to.message(i, Qos.processed, "nobody", text("x"))
        })
        const { framesIn } = core.find("deaf")!
        // It is held when nothing more of it is read, while others are served.
        for (let before = -1; core.find("deaf")!.framesIn !== before;) {
          before = core.find("deaf")!.framesIn
          for (let turns = 0; turns < 20; turns++) await isWell(endpoint)
        }
        expect(core.find("deaf")!.framesIn).toBeGreaterThan(framesIn)
        expect(core.find("deaf")!.framesIn).toBeLessThan(count)
        client.socket.resume()
        await client.until(() => client.frameCount >= count)
        expect(core.find("deaf")!.framesIn).toBe(count)
      })
    }).pipe(Effect.scoped),
  )

  it.live("that says nothing is given up, and one that pings is not", () =>
    Effect.gen(function* () {
      const { core, endpoint } = yield* served({ timeoutMillis: 800 })
      yield* Effect.promise(async () => {
        const pinging = await RawClient.connected(endpoint, "pinging")
        const timer = setInterval(() => pinging.send((to) => to.ping()), 50)
        const silent = await RawClient.connected(endpoint, "silent")
        const received = silent.socket.bytesRead
        await silent.closed
        clearInterval(timer)
        // Both were told, time and again, that the server is there.
        expect(silent.socket.bytesRead).toBeGreaterThan(received)
        expect(silent.frames).toEqual([])
        expect(core.find("silent")).toBeUndefined()
        expect(core.find("pinging")?.isOpen).toBe(true)
      })
    }).pipe(Effect.scoped),
  )
})
