/**
 * What a broker written in Node cannot do without: a process that reads frames of one client and writes them to
 * another, as BUS/RT has them in either direction. It knows two clients, looks up no name, and bounds nothing but by
 * the sockets.
 */
import * as net from "node:net"
import { greeting, resultByte, ServerHandshake } from "../../src/protocol/busrt/codec/handshake.ts"
import { ResultCode } from "../../src/protocol/busrt/codec/results.ts"

const headerBytes = 9
const sender = Buffer.from("sender\0")

let receiver: net.Socket | undefined

/** Copies the payloads of the frames in a chunk into frames for the receiver. What is not whole is given back. */
const copy = (bytes: Buffer, to: net.Socket): { readonly rest: Buffer; readonly isTaken: boolean } => {
  const out = Buffer.allocUnsafe(bytes.length + (bytes.length / headerBytes) * sender.length)
  let at = 0
  let written = 0
  while (at + headerBytes <= bytes.length) {
    if (bytes[at + 4] === 0) {
      at += headerBytes
      continue
    }
    const end = at + headerBytes + bytes.readUInt32LE(at + 5)
    if (end > bytes.length) break
    const payload = bytes.indexOf(0, at + headerBytes) + 1
    out[written] = 0x12
    out.writeUInt32LE(sender.length + end - payload, written + 1)
    out[written + 5] = 0
    out.set(sender, written + 6)
    written += 6 + sender.length
    written += bytes.copy(out, written, payload, end)
    at = end
  }
  return { rest: bytes.subarray(at), isTaken: written === 0 || to.write(out.subarray(0, written)) }
}

const serve = (socket: net.Socket): void => {
  const handshake = new ServerHandshake()
  let isRegistered = false
  let rest: Buffer = Buffer.alloc(0)
  socket.write(greeting)
  const take = (chunk: Buffer): void => {
    if (receiver === undefined || receiver === socket) return
    const copied = copy(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]), receiver)
    rest = copied.rest
    if (copied.isTaken) return
    socket.pause()
    receiver.once("drain", () => socket.resume())
  }
  socket.on("data", (chunk: Buffer) => {
    if (isRegistered) {
      take(chunk)
      return
    }
    for (const step of handshake.push(chunk)) {
      if (step.type === "malformed") {
        socket.destroy()
        return
      }
      socket.write(resultByte(ResultCode.ok))
      if (step.type !== "name") continue
      isRegistered = true
      if (step.name === "receiver") receiver = socket
      take(Buffer.from(step.rest))
    }
  })
  socket.on("error", () => socket.destroy())
}

process.on("message", ({ path }: { readonly path: string }) => {
  const unix = net.createServer(serve).listen(path, () => {
    const tcp = net.createServer({ noDelay: true }, serve).listen(0, "127.0.0.1", () => {
      process.send!({ port: (tcp.address() as net.AddressInfo).port, path: unix.address() })
    })
  })
})
process.on("disconnect", () => process.exit(0))
