import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { logName, messageLines, messageObject, payloadLines, readLogName } from "../../src/cli/io/messageFormat.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import { makeHeaders, type Message } from "../../src/domain/Message.ts"

const message = (payload: Uint8Array, changes: Partial<Message> = {}): Message => ({
  topic: "a/b",
  origin: { tenant: "t", line: "l", device: "d" },
  offset: 1,
  position: 7,
  id: "id",
  createdAt: 5,
  headers: makeHeaders({}),
  payload,
  deleted: false,
  ...changes,
})

describe("messageFormat", () => {
  it("prints payloads byte for byte, without the deleted ones", () => {
    const lines = payloadLines([
      message(Buffer.from([0xff, 0])),
      message(Buffer.alloc(0)),
      message(Buffer.alloc(0), { deleted: true }),
    ])
    expect([...lines]).toEqual([0xff, 0, 0x0a, 0x0a])
  })

  it("gives text where the payload is valid UTF-8, base64 where it is not", () => {
    expect(messageObject(message(Buffer.from("ä\0\n")))).toMatchObject({ text: "ä\0\n" })
    expect(messageObject(message(Buffer.from([0xc3])))).toMatchObject({ base64: "ww==" })
    expect(messageObject(message(Buffer.from([0xc3])))).not.toHaveProperty("text")
  })

  it("prints one object a line, with headers of any name", () => {
    const headers = makeHeaders(JSON.parse('{"__proto__": "x", "a": "b\\n"}') as Record<string, string>)
    const text = messageLines([message(Buffer.from("1"), { headers }), message(Buffer.from("2"))])
    expect(text.split("\n")).toHaveLength(3)
    expect(text).toContain('"headers":{"__proto__":"x","a":"b\\n"}')
  })

  it("keeps a log's name on one line", () => {
    expect(logName({ topic: "a\nb\\", origin: { tenant: "t", line: "l", device: "d/e" } })).toBe("a\\nb\\\\@t/l/d%2Fe")
  })

  it("reads a log's name as it is printed", () => {
    const name = fc.string({
      unit: fc.constantFrom("a", "/", "%", "\\", "n", "\n", "\u001b", "u0041", "@", "ü", "\u009b", "\u2028"),
      minLength: 1,
    })
    const part = fc.string({ unit: fc.constantFrom("a", "/", "%", "\\", "\t", "ü"), minLength: 1 })
    const origin = fc.record({ tenant: part, line: part, device: part })
    fc.assert(
      fc.property(name, origin, (topic, origin) => {
        const read = readLogName(logName({ topic, origin }))
        expect(read).toEqual({ topic, origin: NodeId.format(origin) })
      }),
    )
    for (const none of ["orders", "orders@a/b", "@", "a@b/c/d/e"]) expect(readLogName(none)).toBeUndefined()
  })
})
