import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { settings } from "../../src/node/NodeConfig.ts"
import { type ConfigSources, load, print, variableOf } from "../../src/node/ConfigSources.ts"

const directory = mkdtempSync(join(tmpdir(), "millrace-config-"))

const from = (sources: Partial<ConfigSources>) => load({ flags: {}, environment: {}, ...sources })
const fromFile = (content: string) =>
  Effect.suspend(() => {
    const path = join(directory, "settings.json")
    writeFileSync(path, content)
    return from({ flags: { config: path } })
  })

const isList = (name: keyof typeof settings): boolean => Array.isArray(settings[name].initial)

const sentence = <A, R>(effect: Effect.Effect<A, { readonly message: string }, R>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

describe("ConfigSources", () => {
  it.effect("takes peers only of a node that has a name, and each once", () =>
    Effect.gen(function* () {
      const peer = ["grpc://127.0.0.1:1"]
      expect(yield* sentence(from({ flags: { peer } }))).toMatch(/^--peer needs --node/)
      const flags = { node: "t/l/a", peer: [...peer, "grpc://127.0.0.1:2", "grpc://127.0.0.1:1=t/l/b"] }
      expect(yield* sentence(from({ flags }))).toBe("--peer has grpc://127.0.0.1:1 twice")
    }),
  )

  it.effect("has defaults for everything", () =>
    Effect.gen(function* () {
      const config = yield* from({})
      expect(config).toMatchObject({
        node: { tenant: "tenant", line: "default", device: "device" },
        storage: { backend: "sqlite" },
        durability: "fsync",
        "max-message": 3_670_016,
        grpc: { host: "127.0.0.1", port: 50_051 },
        insecure: false,
      })
      expect(Duration.toMillis(config.drain)).toBe(5000)
    }),
  )

  it.effect("reads what each setting takes", () =>
    Effect.gen(function* () {
      const config = yield* from({
        flags: {
          node: "a/b%2Fc/d",
          storage: "sqlite:/var/lib/bus.db",
          "max-message": "64KiB",
          grpc: "[::1]:0",
          admin: "off",
          drain: "1.5m",
        },
      })
      expect(config).toMatchObject({
        node: { tenant: "a", line: "b/c", device: "d" },
        storage: { backend: "sqlite", path: "/var/lib/bus.db" },
        "max-message": 65_536,
        grpc: { host: "::1", port: 0 },
        admin: "off",
      })
      expect(Duration.toMillis(config.drain)).toBe(90_000)
    }),
  )

  it.effect("prints what it reads", () =>
    Effect.gen(function* () {
      const flags = { node: "a/b/c", storage: "memory:", "max-message": "65536", grpc: "[::1]:7", drain: "250ms" }
      const printed: unknown = JSON.parse(print(yield* from({ flags })))
      expect(printed).toMatchObject({ ...flags, durability: "memory" })
    }),
  )

  it.effect.each([
    ["node", "a/b", "tenant/line/device"],
    ["node", "a//c", "tenant/line/device"],
    ["data", " ", "a directory"],
    [
      "storage",
      "sqlite",
      "sqlite: (a file in the data directory), sqlite:PATH, memory:, lmdb: (in the data directory)",
    ],
    [
      "storage",
      "postgres",
      "sqlite: (a file in the data directory), sqlite:PATH, memory:, lmdb: (in the data directory)",
    ],
    ["durability", "maybe", "fsync, os or memory"],
    ["max-message", "1000", "a size from 1KiB to 256MiB"],
    ["max-message", "1e9", "a size from 1KiB to 256MiB"],
    ["grpc", "127.0.0.1", "HOST:PORT or off"],
    ["grpc", "127.0.0.1:65536", "HOST:PORT or off"],
    ["grpc", "::1:50051", "HOST:PORT or off"],
    ["admin", ":9465", "HOST:PORT or off"],
    ["drain", "5", "a time such as 500ms, 5s or 1m"],
    ["otlp", "127.0.0.1:4318", "the URL of a collector, such as http://127.0.0.1:4318, or off"],
    ["otlp", "ftp://collector", "the URL of a collector, such as http://127.0.0.1:4318, or off"],
    ["max-connections", "0", "a whole number from 1 to 1000000"],
    ["max-streams", "1000001", "a whole number from 1 to 1000000"],
    ["keep-alive", "99ms", "a time from 100ms on, such as 500ms, 5s or 1m"],
    ["stall-after", "99ms", "a time from 100ms on, such as 500ms, 5s or 1m"],
    ["drain", "-5s", "a time such as 500ms, 5s or 1m"],
    ["log", "xml", "pretty or json"],
    ["insecure", "yes", "true or false"],
    ["busrt", "nonsense", "unix: (a socket in the data directory), unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, or with"],
    [
      "busrt",
      "tcp:127.0.0.1",
      "unix: (a socket in the data directory), unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, or with",
    ],
    ["tls-cert", " ", "a file, or off"],
    ["peer-tls-domain", "a b", "a name or an address, or off"],
    ["ws-origin", "example.org", "the origin of a page, such as https://example.org, or * for any"],
    ["ws-origin", "https://example.org/", "the origin of a page, such as https://example.org, or * for any"],
    ["durable", "a#", "a topic filter, such as orders/#"],
    ["queue-size", "0", "a whole number from 1 to 1000000"],
    ["timeout", "99ms", "a time from 100ms on, such as 500ms, 5s or 1m"],
  ] as const)("refuses --%s %s, and says what it takes", ([name, value, takes]) =>
    Effect.gen(function* () {
      const flag = yield* sentence(from({ flags: { [name]: isList(name) ? [value] : value } }))
      expect(flag).toContain(`--${name} takes ${takes}`)
      expect(flag).toContain(JSON.stringify(value))
      const variable = variableOf(name)
      expect(yield* sentence(from({ environment: { [variable]: value } }))).toContain(`${variable} takes ${takes}`)
      expect(yield* sentence(fromFile(JSON.stringify({ [name]: value })))).toContain(`"${name}" in ${directory}`)
    }),
  )

  it.effect("refuses a file with a key that is no setting, and one that is no object", () =>
    Effect.gen(function* () {
      expect(yield* sentence(fromFile('{"gprc": "off"}'))).toMatch(/"gprc" in .* is not a setting/)
      expect(yield* sentence(fromFile('{"__proto__": "off"}'))).toMatch(/"__proto__" in .* is not a setting/)
      expect(yield* sentence(fromFile("[1]"))).toMatch(/must hold a JSON object/)
      expect(yield* sentence(fromFile("{"))).toMatch(/is not valid JSON/)
      expect(yield* sentence(fromFile('{"grpc": {"port": 1}}'))).toMatch(/"grpc" in .* takes HOST:PORT or off/)
      expect(yield* sentence(from({ flags: { config: join(directory, "none") } }))).toMatch(
        /--config names .* no such file/,
      )
    }),
  )

  it.effect("gives no less durability than asked for", () =>
    Effect.gen(function* () {
      const memory = { storage: "memory:" }
      expect((yield* from({ flags: memory })).durability).toBe("memory")
      expect(yield* sentence(from({ flags: { ...memory, durability: "fsync" } }))).toMatch(/--durability fsync/)
      expect(yield* sentence(from({ flags: { durability: "memory" } }))).toMatch(/--durability memory/)
    }),
  )

  it.effect("names the entry of a list that cannot be, and takes none beside off", () =>
    Effect.gen(function* () {
      expect(yield* sentence(from({ flags: { busrt: ["unix:", "udp:1"] } }))).toMatch(/^--busrt takes .*, not "udp:1"$/)
      expect(yield* sentence(from({ flags: { busrt: ["off", "unix:"] } }))).toMatch(/, not "off, unix:"$/)
      expect(yield* sentence(fromFile('{"busrt": ["unix:", {}]}'))).toMatch(/"busrt" in .* takes unix:/)
      expect(yield* sentence(fromFile('{"grpc": ["127.0.0.1:1"]}'))).toMatch(/"grpc" in .* takes HOST:PORT or off/)
      expect((yield* fromFile('{"busrt": "off"}')).busrt).toEqual([])
    }),
  )

  it.effect("does not listen beyond this machine by accident", () =>
    Effect.gen(function* () {
      for (const address of ["0.0.0.0:1", "[::]:1", "192.168.0.1:1", "example.org:1"]) {
        expect(yield* sentence(from({ flags: { admin: address } }))).toContain(`--admin ${address}`)
        expect(yield* sentence(from({ flags: { busrt: ["unix:", `tcp:${address}`] } }))).toContain(
          `--busrt tcp:${address} can be reached from other machines`,
        )
      }
      for (const address of ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"]) {
        yield* from({ flags: { admin: address, busrt: [`tcp:${address}`, `ws://${address}`] } })
      }
      yield* from({ flags: { admin: "0.0.0.0:1", insecure: "true" } })
    }),
  )

  it.effect("takes TLS for what is beyond this machine, where it knows who connects", () =>
    Effect.gen(function* () {
      const tls = { "tls-cert": "cert.pem", "tls-key": "key.pem" }
      const exposed = { grpc: "0.0.0.0:1", busrt: ["tls:0.0.0.0:2", "wss://0.0.0.0:3"] }
      expect(yield* sentence(from({ flags: { grpc: "0.0.0.0:1" } }))).toMatch(
        /has no TLS: use 127\.0\.0\.1, give it a certificate with --tls-cert and --tls-key, or add --insecure$/,
      )
      expect(yield* sentence(from({ flags: { ...tls, busrt: ["tcp:0.0.0.0:2"] } }))).toMatch(/use tls: or wss:,/)
      expect(yield* sentence(from({ flags: { ...tls, ...exposed } }))).toMatch(/by everybody: say who may connect/)
      expect(yield* sentence(from({ flags: { ...tls, admin: "0.0.0.0:4", "tls-client-ca": "ca.pem" } }))).toMatch(
        /^--admin 0\.0\.0\.0:4 .* has no TLS: use 127\.0\.0\.1, or add --insecure$/,
      )
      yield* from({ flags: { ...tls, ...exposed, "tls-client-ca": "ca.pem" } })
      yield* from({ flags: { ...tls, ...exposed, access: "access.json" } })
      yield* from({ flags: { ...tls, ...exposed, insecure: "true" } })
    }),
  )

  it.effect.each<readonly [ConfigSources["flags"], string]>([
    [{ "tls-cert": "a" }, "--tls-cert needs --tls-key"],
    [{ "tls-key": "a" }, "--tls-key needs --tls-cert"],
    [{ "tls-client-ca": "a" }, "--tls-client-ca needs --tls-cert"],
    [{ "peer-tls-cert": "a" }, "--peer-tls-cert needs --peer-tls-key"],
    [{ "peer-tls-key": "a" }, "--peer-tls-key needs --peer-tls-cert"],
    [{ busrt: ["unix:", "tls:127.0.0.1:1"] }, "--busrt tls:127.0.0.1:1 needs a certificate: --tls-cert and --tls-key"],
    [{ "peer-tls-ca": "a" }, "--peer-tls-ca is for peers with TLS, and there is none"],
    [{ node: "a/b/c", peer: ["grpc://b:1"], "peer-tls-domain": "b" }, "--peer-tls-domain is for peers with TLS"],
  ])("refuses TLS by halves: %j", ([flags, message]) =>
    Effect.map(sentence(from({ flags })), (found) => expect(found).toContain(message)),
  )

  it.effect("takes a password from everywhere but the command line, and shows it nowhere", () =>
    Effect.gen(function* () {
      const withPassword = "postgres://user:s%40cret@host/db"
      const shown = "postgres://user:(redacted)@host/db"
      const refused = yield* sentence(from({ flags: { storage: withPassword } }))
      expect(refused).toMatch(/^--storage carries a password.*PGPASSWORD.*MILLRACE_STORAGE.*configuration file/)
      expect(refused).not.toContain("cret")
      const sources = [
        from({ environment: { MILLRACE_STORAGE: withPassword } }),
        fromFile(JSON.stringify({ storage: withPassword })),
        from({ flags: { storage: "postgres://user@host/db" }, environment: { PGPASSWORD: "s@cret" } }),
      ]
      for (const source of sources) {
        const config = yield* source
        expect(config.storage).toMatchObject({ backend: "postgres" })
        expect(config.storage.backend === "postgres" && Redacted.value(config.storage.url)).toBe(withPassword)
        expect(JSON.parse(print(config))).toMatchObject({ storage: shown })
        expect(inspect(config)).not.toContain("cret")
        expect(JSON.stringify(config)).not.toContain("cret")
      }
    }),
  )

  it.effect("leaves a password alone that is there", () =>
    Effect.gen(function* () {
      const environment = { MILLRACE_STORAGE: "postgres://user:mine@host/db", PGPASSWORD: "other" }
      const { storage } = yield* from({ environment })
      expect(storage.backend === "postgres" && Redacted.value(storage.url)).toBe("postgres://user:mine@host/db")
    }),
  )
})
