import { describe, expect, it } from "vitest"
import { Effect, Result, Schema } from "effect"
import * as fc from "fast-check"
import * as Endpoint from "../../src/transport/Endpoint.ts"
import { isExposed, isLoopbackAddress } from "../../src/transport/exposure.ts"

const parsed = (text: string) => Result.getOrUndefined(Endpoint.parse(text))

describe("an endpoint is written", () => {
  const written: ReadonlyArray<readonly [text: string, endpoint: Endpoint.Endpoint, formatted?: string]> = [
    ["unix:/run/bus.sock", { kind: "unix", path: "/run/bus.sock" }],
    ["unix:bus.sock", { kind: "unix", path: "bus.sock" }],
    ["unix:///run/bus.sock", { kind: "unix", path: "/run/bus.sock" }, "unix:/run/bus.sock"],
    ["unix:a b:c", { kind: "unix", path: "a b:c" }],
    ["tcp:127.0.0.1:7777", { kind: "tcp", host: "127.0.0.1", port: 7777 }],
    ["tcp://localhost:0", { kind: "tcp", host: "localhost", port: 0 }, "tcp:localhost:0"],
    ["tcp:[::1]:7777", { kind: "tcp", host: "::1", port: 7777 }],
    ["tcp:[fe80::1%eth0]:7777", { kind: "tcp", host: "fe80::1%eth0", port: 7777 }],
    ["tls:bus.example:7777", { kind: "tls", host: "bus.example", port: 7777 }],
    ["ws:localhost:8080", { kind: "ws", host: "localhost", port: 8080, path: "/" }, "ws://localhost:8080/"],
    ["ws://[::1]:8080/bus/a", { kind: "ws", host: "::1", port: 8080, path: "/bus/a" }],
    ["ws://bus.example", { kind: "ws", host: "bus.example", port: 80, path: "/" }, "ws://bus.example:80/"],
    [
      "wss://bus.example/bus",
      { kind: "wss", host: "bus.example", port: 443, path: "/bus" },
      "wss://bus.example:443/bus",
    ],
    ["\\\\.\\pipe\\millrace", { kind: "pipe", path: "\\\\.\\pipe\\millrace" }],
  ]

  it.each(written.map(([text, endpoint, formatted = text]) => [text, endpoint, formatted] as const))(
    "%s",
    (text, endpoint, formatted) => {
      expect(parsed(text)).toEqual(endpoint)
      expect(Endpoint.format(endpoint)).toBe(formatted)
      expect(parsed(formatted)).toEqual(endpoint)
    },
  )

  it.each([
    "",
    "/run/bus.sock",
    "unix:",
    "unix:a\0b",
    "tcp:localhost",
    "tcp:localhost:",
    "tcp:localhost:65536",
    "tcp:localhost:-1",
    "tcp:localhost:1.5",
    "tcp:::1:7777",
    "tcp:[localhost]:7777",
    "tcp:[127.0.0.1]:7777",
    "tcp:[::1:7777",
    "tcp:user@host:1",
    "tcp:a b:1",
    "tcp:host:1/path",
    "tcp://host",
    "ws:host",
    "ws://host:80/a?token=secret",
    "ws://user:secret@host/",
    "http://host/",
    "TCP:host:1",
    "\\\\.\\pipe\\",
  ])("and not as %j, which is told what one is", (text) => {
    const result = Endpoint.parse(text)
    expect(Result.isFailure(result) && result.failure).toMatchObject({
      _tag: "InvalidArgument",
      argument: "endpoint",
      message: expect.stringMatching(/^an endpoint is unix:PATH, tcp:HOST:PORT, .*, not "/),
    })
  })

  it("so that whatever is written is read as the same", () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6())
    const port = fc.integer({ min: 0, max: 65_535 })
    const endpoint: fc.Arbitrary<Endpoint.Endpoint> = fc.oneof(
      fc.record({ kind: fc.constant("unix" as const), path: fc.stringMatching(/^[^\0/][^\0]{0,30}$/) }),
      fc.record({ kind: fc.constantFrom("tcp" as const, "tls" as const), host, port }),
      fc.record({
        kind: fc.constantFrom("ws" as const, "wss" as const),
        host,
        port,
        path: fc.webPath().map((path) => (path.startsWith("/") ? path : `/${path}`)),
      }),
    )
    fc.assert(
      fc.property(endpoint, (endpoint) => {
        expect(parsed(Endpoint.format(endpoint))).toEqual(endpoint)
      }),
    )
  })

  it("in files and flags by a schema", async () => {
    const decode = Schema.decodeUnknownEffect(Endpoint.FromString)
    expect(await Effect.runPromise(decode("tcp:[::]:1"))).toEqual({ kind: "tcp", host: "::", port: 1 })
    expect(Schema.encodeSync(Endpoint.FromString)({ kind: "unix", path: "/a" })).toBe("unix:/a")
    expect(String(await Effect.runPromise(Effect.flip(decode("nowhere"))))).toContain("an endpoint is unix:PATH")
  })
})

describe("an endpoint is this machine's own", () => {
  it.each([
    "unix:/run/bus.sock",
    "\\\\.\\pipe\\millrace",
    "tcp:localhost:1",
    "tcp:LocalHost:1",
    "tcp:127.0.0.1:1",
    "tcp:127.255.0.9:1",
    "ws://127.0.0.1:1/",
    "tls:[::1]:1",
    "tcp:[0:0:0:0:0:0:0:1]:1",
    "tcp:[::ffff:127.0.0.1]:1",
    "tcp:[::ffff:7f00:1]:1",
  ])("at %s", (text) => expect(isExposed(parsed(text)!)).toBe(false))

  it.each([
    "tcp:0.0.0.0:1",
    "tcp:[::]:1",
    "tcp:192.168.1.2:1",
    "tcp:10.0.0.1:1",
    "tcp:[fe80::1%eth0]:1",
    "tcp:[::ffff:10.0.0.1]:1",
    "tcp:[::ffff:0.0.0.0]:1",
    "tcp:[::127.0.0.1]:1",
    "tcp:bus.example:1",
    "tcp:localhost.example:1",
    // Short for 127.0.0.1, and not everywhere.
    "tcp:127.1:1",
    "tcp:2130706433:1",
    "tcp:0127.0.0.1:1",
    "ws://0.0.0.0:1/",
  ])("and not at %s", (text) => expect(isExposed(parsed(text)!)).toBe(true))

  it("where its address is, and no name is an address", () => {
    expect(["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(isLoopbackAddress)).toEqual([true, true, true])
    expect(["10.0.0.1", "localhost", "", "127.0.0.1.example"].map(isLoopbackAddress)).toEqual(Array(4).fill(false))
  })
})
