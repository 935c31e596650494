/** How connections begin and end, on every carrier, and that nothing of them is left. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { ConnectionLost, Handshake } from "../../src/transport/index.ts"
import { browsers, endpointOf, listen, makeWitness, pair, ways, witness } from "./places.ts"

const bytes = (text: string) => Buffer.from(text)

describe.each(ways)("a connection over $way", ({ dial, kind, way }) => {
  const isBrowser = way === browsers

  const openPair = Effect.gen(function* () {
    return yield* pair(yield* listen(yield* endpointOf(kind)), dial)
  })

  it.live("says what it is and where it comes from", () =>
    Effect.gen(function* () {
      const listener = yield* listen(yield* endpointOf(kind))
      const { far, near } = yield* pair(listener, dial)
      expect([near.kind, far.kind]).toEqual([kind, kind])
      expect([near.isOpen, far.isOpen]).toEqual([true, true])
      if (kind === "unix") {
        expect([far.source, far.port]).toEqual(["", undefined])
      } else {
        expect(far.source).toBe("127.0.0.1")
        expect(far.port).toBeGreaterThan(0)
        expect(listener.endpoint).toMatchObject({ host: "127.0.0.1", port: near.port })
      }
      witness(far)
    }),
  )

  it.live("delivers what was written before it was ended, and then the end, to both sides", () =>
    Effect.gen(function* () {
      const { far, near } = yield* openPair
      const [one, other] = [witness(near), witness(far)]
      near.write(bytes("last words"))
      near.end()
      expect(near.isOpen).toBe(false)
      expect(near.write(bytes("too late"))).toBe(false)
      expect(yield* other.ended).toBe(undefined)
      expect(String(other.bytes())).toBe("last words")
      expect(yield* one.ended).toBe(undefined)
      yield* near.closed
      yield* far.closed
      expect([far.isOpen, far.write(bytes("too late")), far.pendingBytes]).toEqual([false, false, 0])
      near.end()
      near.destroy()
      far.resume()
      expect([one.ends.length, other.ends.length, one.drains(), other.drains()]).toEqual([1, 1, 0, 0])
    }),
  )

  it.live("flushes what the other side has still to say when its peer ends", () =>
    Effect.gen(function* () {
      const { far, near } = yield* openPair
      const reply = Buffer.alloc(1_000_000, "r")
      const one = makeWitness()
      // It answers a question that comes with the end right behind it.
      far.attach({ ...makeWitness().reader, onChunk: () => void far.write(reply) })
      near.attach(one.reader)
      near.write(bytes("?"))
      yield* one.has(reply.length)
      near.end()
      yield* far.closed
      expect(one.bytes().equals(reply)).toBe(true)
    }),
  )

  it.live.each(["near", "far"] as const)("ends for both when it is destroyed at the %s side", (side) =>
    Effect.gen(function* () {
      const ends = yield* openPair
      const [one, other] = [witness(ends.near), witness(ends.far)]
      ends.near.write(bytes("a"))
      ends.far.write(bytes("b"))
      yield* one.has(1)
      yield* other.has(1)
      ends[side].destroy()
      const [here, there] = side === "near" ? [one, other] : [other, one]
      expect(yield* here.ended).toBe(undefined)
      // A socket that is closed tells no more than that it is; a WebSocket should have said goodbye, as browsers do.
      const isBroken = (kind === "ws" || kind === "wss") && !(isBrowser && side === "near")
      expect((yield* there.ended)?.reason).toBe(isBroken ? "broken" : undefined)
      expect([ends.near.isOpen, ends.far.isOpen]).toEqual([false, false])
    }),
  )

  it.live("tells its reader why it was destroyed", () =>
    Effect.gen(function* () {
      const { far, near } = yield* openPair
      witness(near)
      const reader = witness(far)
      const why = new ConnectionLost({ reason: "violation", message: "enough" })
      far.destroy(why)
      expect(yield* reader.ended).toBe(why)
      expect(yield* Effect.flip(far.closed)).toBe(why)
      yield* Effect.exit(near.closed)
    }),
  )

  it.live("is lost by a reader that fails, which is nobody else's trouble", () =>
    Effect.gen(function* () {
      const listener = yield* listen(yield* endpointOf(kind))
      const { far, near } = yield* pair(listener, dial)
      const other = yield* pair(listener, dial)
      const ended = yield* Deferred.make<ConnectionLost | undefined>()
      far.attach({
        onChunk: () => {
          throw new Error("planted")
        },
        onDrain: () => undefined,
        onClose: (error) => Deferred.doneUnsafe(ended, Effect.succeed(error)),
      })
      witness(near)
      near.write(bytes("x"))
      expect(yield* Deferred.await(ended)).toMatchObject({
        reason: "defect",
        message: "whoever reads the connection failed: planted",
      })
      expect(String(yield* Effect.exit(far.closed))).toContain("planted")
      const reader = witness(other.far)
      other.near.write(bytes("fine"))
      expect(String(yield* reader.has(4))).toBe("fine")
    }),
  )

  // A browser always takes what comes.
  it.live.skipIf(isBrowser)("does not wait for ever for a peer that takes nothing", () =>
    Effect.gen(function* () {
      const listener = yield* listen(yield* endpointOf(kind), { closeWithin: "100 millis" })
      const { far, near } = yield* pair(listener, dial)
      const reader = witness(far)
      // The near side never reads.
      while (far.write(Buffer.alloc(1_000_000)) || far.pendingBytes < 4_000_000);
      far.end()
      expect(yield* reader.ended).toMatchObject({ _tag: "ConnectionLost", reason: "overdue" })
      near.destroy()
    }),
  )

  it.live("is told to a reader that comes late", () =>
    Effect.gen(function* () {
      const { far, near } = yield* openPair
      far.write(bytes("early"))
      far.end()
      const late = witness(near)
      expect(yield* late.ended).toBe(undefined)
      expect(String(late.bytes())).toBe("early")
      const later = witness(far)
      expect(yield* later.ended).toBe(undefined)
    }),
  )

  it.live("is given over from one reader to the next without losing a byte", () =>
    Effect.gen(function* () {
      const { far, near } = yield* openPair
      const [first, second] = [makeWitness(), makeWitness()]
      far.attach({
        ...first.reader,
        onChunk: (chunk) => {
          first.reader.onChunk(chunk)
          far.attach(second.reader)
        },
      })
      near.write(bytes("a"))
      yield* first.has(1)
      near.write(bytes("b"))
      expect(String(yield* second.has(1))).toBe("b")
      expect(String(first.bytes())).toBe("a")
    }),
  )

  it.live("gives a peer that nobody knows little time, and little memory", () =>
    Effect.gen(function* () {
      const listener = yield* listen(yield* endpointOf(kind))
      const silent = yield* pair(listener, dial)
      const silence = witness(silent.far)
      Handshake.begin(silent.far, { within: "50 millis" })
      witness(silent.near)
      expect(yield* silence.ended).toMatchObject({
        reason: "overdue",
        message: "the peer was not accepted within 50ms",
      })

      const loud = yield* pair(listener, dial)
      const noise = witness(loud.far)
      Handshake.begin(loud.far, { within: "1 minute" })
      witness(loud.near)
      // In one message, which a WebSocket would keep until it is whole.
      loud.near.write(Buffer.alloc(1_000_000))
      expect(yield* noise.ended).toMatchObject({ reason: "violation" })
      expect(noise.bytes().length).toBeLessThan(200_000)

      const welcome = yield* pair(listener, dial)
      const talk = makeWitness()
      const accept = Handshake.begin(welcome.far, { within: "50 millis" })
      welcome.far.attach({
        ...talk.reader,
        onChunk: (chunk) => {
          talk.reader.onChunk(chunk)
          // More came with it than it may send before.
          accept()
        },
      })
      welcome.near.write(Buffer.alloc(10))
      welcome.near.write(Buffer.alloc(60_000))
      yield* talk.has(60_010)
      yield* Effect.sleep(100)
      welcome.near.write(Buffer.alloc(60_000))
      yield* talk.has(120_010)
      expect(welcome.far.isOpen).toBe(true)
    }),
  )
})
