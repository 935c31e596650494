import { describe, expect, it } from "vitest"
import { logName, messageLines, messageObject, payloadLines } from "../../src/cli/io/messageFormat.ts"
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
})
