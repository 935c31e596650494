/**
 * What it costs to read and to write frames of BUS/RT, without any socket: frames with payloads of 100 bytes, in chunks
 * of 64 KiB, as sockets give them.
 *
 *     node bench/micro/busrt.ts [--json] [--times N] [--frames N] [--codec FOLDER]
 *
 * With another codec's folder, of an older checkout say, the same is measured of that one: for two to be compared, run
 * them in turn.
 */
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { measureAlone, rate } from "../measure.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    times: { type: "string", default: "9" },
    frames: { type: "string", default: "400000" },
    codec: { type: "string", default: "src/protocol/busrt/codec" },
  },
})
const times = Number(values.times)
const count = Number(values.frames)

const load = (file: string) => import(resolve(values.codec, file))
const client = (await load("clientFrames.ts")) as typeof import("../../src/protocol/busrt/codec/clientFrames.ts")
const server = (await load("serverFrames.ts")) as typeof import("../../src/protocol/busrt/codec/serverFrames.ts")

const chunkBytes = 64 * 1024
const payload = Buffer.alloc(100, "x")
const one = ["bench.receiver.1"]
const many = Array.from({ length: 200 }, (_, i) => `bench.receiver.${i}`)
const thousands = Array.from({ length: 20_000 }, (_, i) => `bench.receiver.${i}`)
const topics = Array.from({ length: 5 }, (_, i) => `sensors/hall-${i}/temperature`)
const noted = ["bench.empfänger.1"]

type Names = ReadonlyArray<string>
type ClientWriter = InstanceType<typeof client.ClientFrameWriter>
type ServerWriter = InstanceType<typeof server.ServerFrameWriter>

/** What is written, and who reads it. */
interface Way {
  readonly name: string
  readonly write: (take: (bytes: Uint8Array) => void) => void
  readonly decoder: () => { readonly push: (chunk: Uint8Array) => { readonly frames: ReadonlyArray<unknown> } }
}

const fromClient = (name: string, names: Names, write: (to: ClientWriter, name: string, i: number) => void): Way => ({
  name,
  decoder: () => client.decoder(),
  write: (take) => {
    const writer = new client.ClientFrameWriter()
    for (let i = 0; i < count; i++) {
      write(writer, names[i % names.length]!, i)
      if (writer.bytes >= chunkBytes) take(writer.finish())
    }
    take(writer.finish())
  },
})

const fromServer = (name: string, names: Names, write: (to: ServerWriter, name: string, i: number) => void): Way => ({
  name,
  decoder: () => server.decoder(),
  write: (take) => {
    const writer = new server.ServerFrameWriter()
    for (let i = 0; i < count; i++) {
      write(writer, names[i % names.length]!, i)
      if (writer.bytes >= chunkBytes) take(writer.finish())
    }
    take(writer.finish())
  },
})

const ways: ReadonlyArray<Way> = [
  fromClient("direct messages, one name", one, (to, name, i) => to.message(i, 0, name, payload)),
  fromClient("direct messages, 200 names", many, (to, name, i) => to.message(i, 1, name, payload)),
  fromClient("direct messages, 20,000 names", thousands, (to, name, i) => to.message(i, 1, name, payload)),
  fromClient("direct messages, beyond ASCII", noted, (to, name, i) => to.message(i, 0, name, payload)),
  fromClient("publishes, 5 topics", topics, (to, name, i) => to.publish(i, 0, name, payload)),
  fromServer("messages, one sender", one, (to, name) => to.message(name, payload, false)),
  fromServer("publications, 5 topics", topics, (to, name) => to.publication("bench.sender", name, payload, false)),
]

for (const { name, write, decoder } of ways) {
  const written: Array<Uint8Array> = []
  write((bytes) => written.push(Buffer.from(bytes)))
  const stream = Buffer.concat(written)
  const read = (): void => {
    const reader = decoder()
    let frames = 0
    for (let at = 0; at < stream.length; at += chunkBytes) {
      // A piece of the stream wherever its frames end.
      frames += reader.push(stream.subarray(at, Math.min(at + chunkBytes, stream.length))).frames.length
    }
    if (frames !== count) throw new Error(`${frames} frames were read of ${count}`)
  }
  let bytes = 0
  for (const [way, work] of [
    ["read", read],
    ["write", () => write((piece) => (bytes += piece.length))],
  ] as const) {
    const row = await measureAlone(
      "busrt",
      { name: `${way} ${name}`, unit: "frames/s", ours: () => rate(count, work) },
      times,
    )
    const value = Math.round(row.value)
    process.stdout.write(
      values.json
        ? `${JSON.stringify({ ...row, value })}\n`
        : `${row.name.padEnd(38)}${value.toLocaleString("en").padStart(12)} ${row.unit}\n`,
    )
  }
  if (bytes !== stream.length * (times + 1)) throw new Error("what was written is not what was read")
}
