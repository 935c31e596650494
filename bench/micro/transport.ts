/**
 * What a connection costs above a bare socket of Node's: ours, and effect's own. Small messages go back and forth on
 * many connections at once, so that each is a chunk of its own; then large chunks go one way. Over Unix sockets.
 *
 *     node bench/micro/transport.ts [TIMES]
 */
import { mkdtempSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Effect } from "effect"
import { comparePair, type Measure, rate } from "../measure.ts"
import * as Transport from "../../src/transport/index.ts"

const times = Number(process.argv[2] ?? 7)
const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
const path = join(directory, "a.sock")
const connections = 32
const messages = 100_000
const message = Buffer.alloc(100, "m")
const chunk = Buffer.alloc(64 * 1024, "c")
const chunks = 8000

/** Sends back small messages, and counts large ones: the same bare socket for everybody. */
const server = net.createServer((socket) => {
  let taken = 0
  socket.on("error", () => undefined)
  socket.on("data", (bytes) => {
    if (taken === 0 && bytes.length === message.length) return void socket.write(bytes)
    taken += bytes.length
    if (taken === chunks * chunk.length) socket.end("done")
  })
})
await new Promise<void>((resolve) => void server.listen(path, resolve))

type Way = (talk: "small" | "large") => Promise<void>

const bare: Way = (talk) =>
  new Promise((resolve) => {
    const socket = net.connect(path)
    socket.on("error", () => undefined)
    let left = messages / connections
    let sent = 0
    const send = (): void => {
      while (sent < chunks) {
        sent += 1
        if (!socket.write(chunk)) return
      }
    }
    socket.on("drain", send)
    socket.on("data", () => {
      left -= 1
      if (talk === "small" && left > 0) socket.write(message)
      else socket.destroy()
    })
    socket.on("close", () => resolve())
    socket.on("connect", () => (talk === "small" ? void socket.write(message) : send()))
  })

const ours: Way = (talk) =>
  Effect.gen(function* () {
    const connection = yield* Transport.dial({ kind: "unix", path })
    let left = messages / connections
    let sent = 0
    const send = (): void => {
      while (sent < chunks) {
        sent += 1
        if (!connection.write(chunk)) return
      }
    }
    connection.attach({
      onChunk: () => {
        left -= 1
        if (talk === "small" && left > 0) connection.write(message)
        else connection.destroy()
      },
      onDrain: send,
      onClose: () => undefined,
    })
    if (talk === "small") connection.write(message)
    else send()
    yield* connection.closed
  }).pipe(Effect.scoped, Effect.runPromise)

const effects: Way = (talk) =>
  Effect.gen(function* () {
    const socket = yield* NodeSocket.makeNet({ path })
    const reader = yield* socket.reader
    const writer = yield* socket.writer
    if (talk === "small") {
      yield* writer.write(message)
      for (let left = messages / connections; left > 0; left--) {
        yield* reader.pull
        if (left > 1) yield* writer.write(message)
      }
    } else {
      for (let sent = 0; sent < chunks; sent++) yield* writer.write(chunk)
      yield* reader.pull
    }
  }).pipe(Effect.scoped, Effect.runPromise)

const small =
  (way: Way): Measure =>
  () =>
    rate(messages, () => Promise.all(Array.from({ length: connections }, () => way("small"))))

const large =
  (way: Way): Measure =>
  () =>
    rate((chunks * chunk.length) / 2 ** 20, () => way("large"))

for (const [name, way] of [
  ["ours", ours],
  ["effect's", effects],
] as const) {
  for (const [what, unit, measure] of [
    ["small messages", "messages/s", small],
    ["large chunks", "MiB/s", large],
  ] as const) {
    const pair = { name: `${what}, ${name}`, unit, ours: measure(way), baseline: measure(bare), against: "bare net" }
    const row = await comparePair("transport", pair, times)
    const { baseline = Number.NaN, ratio = Number.NaN, value } = row
    const figures = [value, baseline].map((figure) => Math.round(figure).toLocaleString("en").padStart(10))
    process.stdout.write(`${row.name.padEnd(28)}${figures.join("")} ${unit}, ${ratio.toFixed(2)} of a bare socket\n`)
  }
}
server.close()
rmSync(directory, { recursive: true, force: true })
