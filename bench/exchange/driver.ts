/**
 * A process that sends or receives by BUS/RT as fast as a socket can, with as little as possible of its own: frames are
 * encoded before the clock starts, and what comes is counted by its headers. So what is measured is what stands between.
 */
import * as net from "node:net"
import { ClientHandshake, greeting, registration } from "../../src/protocol/busrt/codec/handshake.ts"
import { ClientFrameWriter } from "../../src/protocol/busrt/codec/clientFrames.ts"
import type { Qos } from "../../src/protocol/busrt/codec/qos.ts"
import { Kind } from "../../src/protocol/busrt/codec/serverFrames.ts"
import { type Address, type Command, type Frame, obey } from "./commands.ts"

const headerBytes = 6

/** Walks over server frames in chunks, however they are cut. */
class Walker {
  #rest: Buffer = Buffer.alloc(0)
  frames = 0
  acks = 0
  /** Called with each whole frame that is no ack and no NOP, where somebody wants to look. */
  onFrame: ((bytes: Buffer, at: number, end: number) => void) | undefined

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at + headerBytes <= bytes.length) {
      const kind = bytes[at]!
      if (kind === Kind.ack) {
        this.acks++
        at += headerBytes
        continue
      }
      const end = at + headerBytes + bytes.readUInt32LE(at + 1)
      if (end > bytes.length) break
      if (kind !== Kind.nop) {
        this.frames++
        this.onFrame?.(bytes, at + headerBytes, end)
      }
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}

const walker = new Walker()
let socket: net.Socket
let notify: () => void = () => {}

const connect = (address: Address, name: string, filter: string | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const handshake = new ClientHandshake()
    let isRegistered = false
    socket = net.connect({ ...address, noDelay: true })
    socket.once("error", reject)
    socket.on("data", (chunk: Buffer) => {
      if (isRegistered) {
        walker.push(chunk)
        notify()
        return
      }
      for (const step of handshake.push(chunk)) {
        if (step.type === "greeted") socket.write(greeting)
        else if (step.type === "accepted") socket.write(registration(name))
        else if (step.type === "registered") {
          isRegistered = true
          if (filter !== undefined) {
            const writer = new ClientFrameWriter()
            writer.topics("subscribe", 1, 1, [filter])
            notify = () => {
              if (walker.acks > 0) resolve()
            }
            socket.write(writer.finish())
          } else resolve()
          walker.push(Buffer.from(step.rest))
        } else reject(new Error(`the broker said ${JSON.stringify(step)}`))
      }
    })
    // Brokers give up who is silent.
    setInterval(() => {
      const writer = new ClientFrameWriter()
      writer.ping()
      socket.write(writer.finish())
    }, 500).unref()
  })

const receive = (count: number): Promise<void> => {
  const until = walker.frames + count
  return new Promise((resolve) => {
    notify = () => {
      if (walker.frames >= until) resolve()
    }
    notify()
  })
}

/** A block of frames as it is written again and again, and how many frames are in it. */
const encode = (frame: Frame, payloadBytes: number, qos: Qos, framesMax: number): readonly [Buffer, number] => {
  const writer = new ClientFrameWriter()
  const payload = Buffer.alloc(payloadBytes, "x")
  let frames = 0
  while (frames < framesMax && writer.bytes < 60_000) {
    if (frame.type === "message") writer.message(1, qos, frame.target, payload)
    else if (frame.type === "publish") writer.publish(1, qos, frame.topic, payload)
    else {
      const head = Buffer.concat([Buffer.from([1, 7, 0, 0, 0]), Buffer.from(`${frame.method}\0`)])
      writer.message(1, qos, frame.target, payload, head)
    }
    frames++
  }
  return [Buffer.from(writer.finish()), frames]
}

const send = async (command: Extract<Command, { do: "send" }>): Promise<void> => {
  const { frame, count, payloadBytes, qos, window } = command
  const isAnswered = frame.type === "call"
  const isAcked = (qos & 1) === 1
  const [block, blockFrames] = encode(frame, payloadBytes, qos, isAcked || isAnswered ? window / 2 : count)
  const answered = (): number => (isAnswered ? walker.frames : walker.acks)
  const begin = answered()
  let sent = 0
  while (sent < count) {
    const frames = Math.min(blockFrames, count - sent)
    const bytes = frames === blockFrames ? block : encode(frame, payloadBytes, qos, frames)[0]
    if (isAcked || isAnswered) {
      const room = begin + sent + frames - window
      if (answered() < room) {
        await new Promise<void>((resolve) => {
          notify = () => {
            if (answered() >= room) resolve()
          }
        })
      }
    }
    sent += frames
    if (!socket.write(bytes)) await new Promise((resolve) => socket.once("drain", resolve))
  }
  if (!isAcked && !isAnswered) return
  await new Promise<void>((resolve) => {
    notify = () => {
      if (answered() >= begin + count) resolve()
    }
    notify()
  })
}

/** Replies to requests of 100-byte parameters under any name: `01 id method 00 params` to `11 id params`. */
const answer = (): void => {
  let writer = new ClientFrameWriter()
  const head = Buffer.alloc(5)
  head[0] = 0x11
  walker.onFrame = (bytes, at, end) => {
    const nul = bytes.indexOf(0, at)
    const rpc = nul + 1
    if (bytes[rpc] !== 1) return
    bytes.copy(head, 1, rpc + 1, rpc + 5)
    const method = bytes.indexOf(0, rpc + 5)
    writer.message(1, 0, bytes.toString("latin1", at, nul), bytes.subarray(method + 1, end), head)
  }
  notify = () => {
    if (writer.bytes > 0) socket.write(writer.finish())
  }
}

obey(async (command, ready) => {
  switch (command.do) {
    case "connect":
      return connect(command.address, command.name, command.filter)
    case "receive":
      ready()
      return receive(command.count)
    case "send":
      return send(command)
    case "answer":
      return answer()
  }
})
