import { describe, expect, it } from "vitest"
import * as Address from "../../src/node/Address.ts"

describe("Address", () => {
  it.each([
    ["127.0.0.1:50051", { host: "127.0.0.1", port: 50_051 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["[::1]:65535", { host: "::1", port: 65_535 }],
    ["[fe80::1%eth0]:1", { host: "fe80::1%eth0", port: 1 }],
  ])("reads and prints %s", (text, address) => {
    expect(Address.parse(text)).toEqual(address)
    expect(Address.format(address)).toBe(text)
  })

  it.each(["", ":1", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[::1]", "a b:1", "http://a:1"])(
    "does not read %j",
    (text) => {
      expect(Address.parse(text)).toBeUndefined()
    },
  )
})
