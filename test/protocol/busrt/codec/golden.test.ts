/** Bytes written out by hand from the protocol's own tables: what is read from them, and what is written as them. */
import { describe, expect, it } from "vitest"
import * as ClientFrames from "../../../../src/protocol/busrt/codec/clientFrames.ts"
import * as Qos from "../../../../src/protocol/busrt/codec/qos.ts"
import { ResultCode, resultName } from "../../../../src/protocol/busrt/codec/results.ts"
import * as ServerFrames from "../../../../src/protocol/busrt/codec/serverFrames.ts"
import { bytes, plain } from "./bytes.ts"

const none = new Uint8Array()
const xy = plain(`"xy"`)

type Write<W> = (to: W) => void
type ClientCase = readonly [string, string, Write<ClientFrames.ClientFrameWriter>, ClientFrames.ClientFrame]
type ServerCase = readonly [string, string, Write<ServerFrames.ServerFrameWriter>, ServerFrames.ServerFrame]

const opId = 0x04030201

const clientCases: ReadonlyArray<ClientCase> = [
  ["a ping", "00 00 00 00 00 00 00 00 00", (to) => to.ping(), { type: "ping" }],
  [
    "publish",
    `01 02 03 04  01  06 00 00 00  "a/b" 00 "xy"`,
    (to) => to.publish(opId, 0, "a/b", xy),
    { type: "publish", opId, qos: 0, topic: "a/b", payload: xy },
  ],
  [
    "publish, processed",
    `01 02 03 04  41  02 00 00 00  "a" 00`,
    (to) => to.publish(opId, 1, "a", none),
    { type: "publish", opId, qos: 1, topic: "a", payload: none },
  ],
  [
    "subscribe",
    `01 02 03 04  42  05 00 00 00  "a" 00 "b/#"`,
    (to) => to.topics("subscribe", opId, 1, ["a", "b/#"]),
    { type: "subscribe", opId, qos: 1, topics: ["a", "b/#"] },
  ],
  [
    "unsubscribe",
    `ff ff ff ff  43  01 00 00 00  "#"`,
    (to) => to.topics("unsubscribe", 0xffffffff, 1, ["#"]),
    { type: "unsubscribe", opId: 0xffffffff, qos: 1, topics: ["#"] },
  ],
  [
    "exclude",
    `00 00 00 80  44  03 00 00 00  "+/c"`,
    (to) => to.topics("exclude", 0x80000000, 1, ["+/c"]),
    { type: "exclude", opId: 0x80000000, qos: 1, topics: ["+/c"] },
  ],
  [
    "un-exclude",
    `01 02 03 04  05  03 00 00 00  "+/c"`,
    (to) => to.topics("unexclude", opId, 0, ["+/c"]),
    { type: "unexclude", opId, qos: 0, topics: ["+/c"] },
  ],
  [
    "publish for one receiver",
    `01 02 03 04  46  09 00 00 00  "t" 00 "c.1" 00 00 "xy"`,
    (to) => to.publishFor(opId, 1, "t", "c.1", plain(`00 "xy"`)),
    { type: "publishFor", opId, qos: 1, topic: "t", receiver: "c.1", payload: plain(`00 "xy"`) },
  ],
  [
    "a broadcast",
    `01 02 03 04  13  08 00 00 00  "?.b.*" 00 "xy"`,
    (to) => to.broadcast(opId, 0, "?.b.*", xy),
    { type: "broadcast", opId, qos: 0, mask: "?.b.*", payload: xy },
  ],
  [
    "a name beyond ASCII",
    `01 02 03 04  12  04 00 00 00  c3 a9 00 ff`,
    (to) => to.message(opId, 0, "é", bytes("ff")),
    { type: "message", opId, qos: 0, target: "é", payload: plain("ff") },
  ],
  ...(
    [
      ["no", "12", 0],
      ["processed", "52", 1],
      ["realtime", "92", 2],
      ["realtime and processed", "d2", 3],
    ] as const
  ).map(([name, flags, qos]): ClientCase => [
    `a direct message, QoS ${name}`,
    `01 02 03 04  ${flags}  05 00 00 00  "c1" 00 "xy"`,
    (to) => to.message(opId, qos, "c1", xy),
    { type: "message", opId, qos, target: "c1", payload: xy },
  ]),
]

const codes = [
  ["01", "ok"],
  ["71", "not registered"],
  ["72", "invalid data"],
  ["73", "input/output error"],
  ["74", "other error"],
  ["75", "not supported"],
  ["76", "busy"],
  ["77", "not delivered"],
  ["78", "timed out"],
  ["79", "access denied"],
] as const

const serverCases: ReadonlyArray<ServerCase> = [
  ["a NOP", "00 00 00 00 00 00", (to) => to.nop(), { type: "nop" }],
  [
    "a direct message",
    `12  05 00 00 00  00  "c1" 00 "xy"`,
    (to) => to.message("c1", xy, false),
    { type: "message", sender: "c1", realtime: false, payload: xy },
  ],
  [
    "a direct message, realtime",
    `12  05 00 00 00  01  "c1" 00 "xy"`,
    (to) => to.message("c1", xy, true),
    { type: "message", sender: "c1", realtime: true, payload: xy },
  ],
  [
    "a broadcast",
    `13  03 00 00 00  00  "c1" 00`,
    (to) => to.broadcast("c1", none, false),
    { type: "broadcast", sender: "c1", realtime: false, payload: none },
  ],
  [
    "a broadcast, realtime",
    `13  04 00 00 00  01  "c1" 00 00`,
    (to) => to.broadcast("c1", plain("00"), true),
    { type: "broadcast", sender: "c1", realtime: true, payload: plain("00") },
  ],
  [
    "a publication",
    `01  09 00 00 00  00  "c1" 00 "a/b" 00 "xy"`,
    (to) => to.publication("c1", "a/b", xy, false),
    { type: "publication", sender: "c1", topic: "a/b", realtime: false, payload: xy },
  ],
  [
    "a publication, realtime",
    `01  07 00 00 00  01  "c1" 00 "a/b" 00`,
    (to) => to.publication("c1", "a/b", none, true),
    { type: "publication", sender: "c1", topic: "a/b", realtime: true, payload: none },
  ],
  ...codes.map(([code, name]): ServerCase => [
    `an ack: ${name}`,
    `fe  01 02 03 04  ${code}`,
    (to) => to.ack(opId, parseInt(code, 16) as ResultCode),
    { type: "ack", opId, result: parseInt(code, 16) },
  ]),
]

describe("a client's frame is read and written", () => {
  it.each(clientCases)("%s", (_, golden, write, frame) => {
    expect(ClientFrames.decoder().push(bytes(golden))).toEqual({ frames: [frame], malformed: undefined })
    const writer = new ClientFrames.ClientFrameWriter()
    write(writer)
    expect(writer.finish()).toEqual(plain(golden))
  })

  it("also as one of many in one buffer", () => {
    const writer = new ClientFrames.ClientFrameWriter()
    for (const [, , write] of clientCases) write(writer)
    const written = writer.finish()
    expect(written).toEqual(plain(clientCases.map(([, golden]) => golden).join(" ")))
    expect(ClientFrames.decoder().push(written).frames).toEqual(clientCases.map(([, , , frame]) => frame))
  })

  it("of any operation with any QoS", () => {
    const operations = ["publish", "subscribe", "unsubscribe", "exclude", "unexclude", "publishFor"].entries()
    for (const [operation, type] of [
      ...[...operations].map(([i, type]) => [i + 1, type] as const),
      [0x12, "message"] as const,
      [0x13, "broadcast"] as const,
    ]) {
      for (const [qos, bits] of [0x00, 0x40, 0x80, 0xc0].entries()) {
        const lists = operation >= 2 && operation <= 5
        const flags = (operation | bits).toString(16).padStart(2, "0")
        const body = lists ? `03 00 00 00 "a" 00 "b"` : `04 00 00 00 "a" 00 "b" 00`
        const { frames } = ClientFrames.decoder().push(bytes(`01 02 03 04 ${flags} ${body}`))
        expect(frames).toEqual([expect.objectContaining({ type, opId, qos })])
      }
    }
  })

  it("as a ping, whatever its op-id and its length say", () => {
    const { frames } = ClientFrames.decoder().push(bytes("01 02 03 04 00 ff ff ff ff  00 00 00 00 00 00 00 00 00"))
    expect(frames).toEqual([{ type: "ping" }, { type: "ping" }])
  })
})

describe("the broker's frame is read and written", () => {
  it.each(serverCases)("%s", (_, golden, write, frame) => {
    expect(ServerFrames.decoder().push(bytes(golden))).toEqual({ frames: [frame], malformed: undefined })
    const writer = new ServerFrames.ServerFrameWriter()
    write(writer)
    expect(writer.finish()).toEqual(plain(golden))
  })

  it("also as one of many in one buffer", () => {
    const writer = new ServerFrames.ServerFrameWriter()
    for (const [, , write] of serverCases) write(writer)
    const written = writer.finish()
    expect(written).toEqual(plain(serverCases.map(([, golden]) => golden).join(" ")))
    expect(ServerFrames.decoder().push(written).frames).toEqual(serverCases.map(([, , , frame]) => frame))
  })
})

describe("the bits of QoS", () => {
  it.each([
    [0, 0x00, false, false],
    [1, 0x40, true, false],
    [2, 0x80, false, true],
    [3, 0xc0, true, true],
  ] as const)("%i", (qos, flags, processed, realtime) => {
    expect(Qos.toFlags(qos)).toBe(flags)
    expect(Qos.ofFlags(flags | 0x3f)).toBe(qos)
    expect(Qos.isProcessed(qos)).toBe(processed)
    expect(Qos.isRealtime(qos)).toBe(realtime)
  })
})

describe("a result code", () => {
  it("has a name of its own", () => {
    const named = Object.values(ResultCode).map((code) => [code.toString(16).padStart(2, "0"), resultName(code)])
    expect(named).toEqual(codes)
    expect(resultName(0x02)).toBe("result 0x02")
  })
})
