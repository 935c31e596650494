/** Certificates in files: what cannot be used is refused at the start and changes nothing later. */
import { createPrivateKey } from "node:crypto"
import { renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, vi } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import * as ConfigSources from "../../src/node/ConfigSources.ts"
import * as TlsFiles from "../../src/node/TlsFiles.ts"
import { authority, certificate } from "../support/certificates.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"

vi.setConfig({ testTimeout: 30_000 })

const other = await authority.issue()
const expired = await authority.issue({ days: [-30, -1] })
const early = await authority.issue({ days: [1, 30] })
const protectedKey = createPrivateKey(certificate.key).export({
  format: "pem",
  type: "pkcs8",
  cipher: "aes-128-cbc",
  passphrase: "secret",
})

const names = ["tls-cert", "tls-key", "tls-client-ca", "peer-tls-ca", "peer-tls-cert", "peer-tls-key"] as const
type Name = (typeof names)[number]

const good: Readonly<Record<Name, string>> = {
  "tls-cert": certificate.cert,
  "tls-key": certificate.key,
  "tls-client-ca": authority.cert,
  "peer-tls-ca": authority.cert,
  "peer-tls-cert": certificate.cert,
  "peer-tls-key": certificate.key,
}

/** A directory with a file for each of the settings, and the settings. */
const filed = Effect.fnUntraced(function* (texts: Partial<Record<Name, string>> = {}) {
  const directory = yield* temporaryDirectory
  const pathOf = (name: Name): string => join(directory, name)
  for (const name of names) writeFileSync(pathOf(name), texts[name] ?? good[name])
  const flags = {
    node: "a/b/c",
    peer: ["grpcs://b:1"],
    ...Object.fromEntries(names.map((name) => [name, pathOf(name)])),
  }
  return { pathOf, config: yield* ConfigSources.load({ flags, environment: {} }) }
})

describe("the certificates of a node", () => {
  it.live.each<readonly [what: string, texts: Partial<Record<Name, string>>, sentence: RegExp]>([
    ["no certificate", { "tls-cert": "hello" }, /^--tls-cert: .*\/tls-cert holds no certificate in PEM$/],
    ["a key for a certificate", { "tls-cert": certificate.key }, /^--tls-cert: .* holds no certificate in PEM$/],
    [
      "half of a certificate",
      { "tls-cert": certificate.cert.replace(/\n.{40}/, "\n") },
      /^--tls-cert: .* holds a certificate that cannot be read/,
    ],
    ["one that has expired", { "tls-cert": expired.cert }, /^--tls-cert: .* has expired: it held until \d{4}-.* UTC$/],
    [
      "one that is early",
      { "tls-cert": early.cert },
      /^--tls-cert: .* does not hold yet: it does from \d{4}-.* UTC on$/,
    ],
    ["the key of another", { "tls-key": other.key }, /^--tls-key: the key in .* does not belong to the certificate in/],
    ["no key", { "tls-key": certificate.cert }, /^--tls-key: .* holds no private key in PEM$/],
    ["a protected key", { "tls-key": String(protectedKey) }, /^--tls-key: .* is protected by a passphrase/],
    ["no authority", { "tls-client-ca": "" }, /^--tls-client-ca: .* holds no certificate in PEM$/],
    ["no authority of peers", { "peer-tls-ca": "-" }, /^--peer-tls-ca: .* holds no certificate in PEM$/],
    ["an expired one for peers", { "peer-tls-cert": expired.cert }, /^--peer-tls-cert: .* has expired/],
    ["the key of another for peers", { "peer-tls-key": other.key }, /^--peer-tls-key: .* does not belong to/],
  ])("are refused at the start: %s", ([, texts, sentence]) =>
    Effect.gen(function* () {
      const { config } = yield* filed(texts)
      const { message } = yield* Effect.flip(TlsFiles.readAll(config))
      expect(message).toMatch(sentence)
      expect(message).not.toContain("\n")
      expect(message).not.toContain("BEGIN")
    }).pipe(Effect.scoped),
  )

  it.live("are refused at the start where the file is missing", () =>
    Effect.gen(function* () {
      const { config, pathOf } = yield* filed()
      rmSync(pathOf("tls-key"))
      const { message } = yield* Effect.flip(TlsFiles.readAll(config))
      expect(message).toMatch(/^--tls-key: .*\/tls-key cannot be read: no such file or directory$/)
    }).pipe(Effect.scoped),
  )

  it.live("are read again when their files change and on SIGHUP, and stay as they were where they cannot be", () =>
    Effect.gen(function* () {
      const { config, pathOf } = yield* filed()
      const told: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => void told.push(String(message)))
      const services = yield* Layer.build(
        Layer.unwrap(Effect.map(TlsFiles.readAll(config), TlsFiles.layer)).pipe(Layer.provide(Logger.layer([logger]))),
      )
      const { dial, listen } = Context.get(services, TlsFiles.TlsFiles)
      const until = (isSo: () => boolean) => Effect.repeat(Effect.sleep("10 millis"), { until: () => isSo() })
      const hangUp = Effect.sync(() => process.emit("SIGHUP"))

      const first = listen!()
      expect(first).toMatchObject({ cert: certificate.cert, clientCa: authority.cert })
      expect(listen!()).toBe(first)

      // Half of it is new: told once, however often it is looked at, and the old one stays.
      writeFileSync(pathOf("tls-cert"), other.cert)
      yield* hangUp
      yield* until(() => told.length > 0)
      expect(told).toEqual([expect.stringMatching(/the old is kept: .* does not belong to the certificate/)])
      yield* hangUp
      expect(listen!()).toBe(first)

      // Nobody says anything this time, and a file takes the place of the other.
      writeFileSync(`${pathOf("tls-key")}.new`, other.key)
      renameSync(`${pathOf("tls-key")}.new`, pathOf("tls-key"))
      yield* until(() => listen!() !== first)
      expect(listen!()).toMatchObject({ cert: other.cert, key: other.key })
      expect(told.slice(1)).toEqual([expect.stringMatching(/^the certificate of this node: read again/)])

      expect(dial()).toMatchObject({ ca: authority.cert, cert: certificate.cert })
      for (const [name, text] of [
        ["peer-tls-cert", other.cert],
        ["peer-tls-key", other.key],
      ] as const) {
        writeFileSync(pathOf(name), text)
      }
      yield* hangUp
      yield* until(() => dial().cert === other.cert)
      expect(told.at(-1)).toMatch(/^the certificates for peers: read again/)
    }).pipe(Effect.scoped),
  )
})
