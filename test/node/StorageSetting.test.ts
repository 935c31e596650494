import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { format, hasPassword, parse, quote, redact, withPassword } from "../../src/node/StorageSetting.ts"

describe("what --storage takes", () => {
  it.each([
    ["sqlite:", { backend: "sqlite", path: undefined }],
    ["sqlite:/var/lib/bus.db", { backend: "sqlite", path: "/var/lib/bus.db" }],
    ["memory:", { backend: "memory" }],
    ["lmdb:", { backend: "lmdb", path: undefined }],
    ["lmdb:bus", { backend: "lmdb", path: "bus" }],
  ])("%s", (text, storage) => {
    expect(parse(text)).toEqual(storage)
    expect(format(parse(text)!)).toBe(text)
  })

  it.each([
    "postgres://host/db",
    "postgresql://user@[::1]:5433/db?schema=bus",
    "postgres:///db?host=/var/run/postgresql",
  ])("%s", (text) => {
    const storage = parse(text)!
    expect(storage.backend === "postgres" && Redacted.value(storage.url)).toBe(text)
    expect(format(storage)).toBe(text)
    expect(hasPassword(storage)).toBe(false)
  })

  it.each([
    "",
    "sqlite",
    "sqlite:a\0b",
    "memory:x",
    "postgres:",
    "postgres:host/db",
    "postgres://host:port/db",
    "postgres://user:no/slash@host/db",
    "mysql://host/db",
    "SQLITE:",
  ])("not %j", (text) => {
    expect(parse(text)).toBeUndefined()
  })
})

describe("a password", () => {
  it.each([
    ["postgres://user:secret@host/db", "postgres://user:(redacted)@host/db"],
    ["postgres://user:se@cret@host/db", "postgres://user:(redacted)@host/db"],
    ["postgres://user:sec%2Fret@host/db?schema=bus", "postgres://user:(redacted)@host/db?schema=bus"],
    ["postgres://:secret@host/db", "postgres://:(redacted)@host/db"],
    ["postgres:///db?host=/run&password=secret&schema=x", "postgres:///db?host=/run&password=(redacted)&schema=x"],
  ])("of %s is hidden", (text, shown) => {
    const storage = parse(text)!
    expect(hasPassword(storage)).toBe(true)
    expect(format(storage)).toBe(shown)
    expect(redact(`it said ${text} twice: ${text}`)).toBe(`it said ${shown} twice: ${shown}`)
  })

  it.each(["postgres://user:sec/ret@host/db", "postgres:user:secret@host", "user:secret@host", "mysql://u:sec/ret@h"])(
    "is not quoted from %s, which is no storage",
    (text) => {
      expect(quote(text)).not.toMatch(/ret/)
    },
  )

  it.each([
    ["postgres://user@host/db", "postgres://user:a%20b%25%2F%3A%40@host/db"],
    ["postgres://host/db", "postgres://:a%20b%25%2F%3A%40@host/db"],
    ["postgres:///db?host=%2Frun", "postgres:///db?host=%2Frun&password=a+b%25%2F%3A%40"],
  ])("is put into %s", (text, url) => {
    const storage = withPassword(parse(text)!, "a b%/:@")
    expect(storage.backend === "postgres" && Redacted.value(storage.url)).toBe(url)
  })

  it("is of no use elsewhere", () => {
    expect(withPassword({ backend: "memory" }, "secret")).toEqual({ backend: "memory" })
    expect(hasPassword({ backend: "memory" })).toBe(false)
  })
})
