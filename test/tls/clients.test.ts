/**
 * Clients that a node under TLS must not serve: what they try, over gRPC and over both kinds of sockets, brings them not
 * a byte of its data. That those who may get all of it shows that the others could.
 */
import * as net from "node:net"
import type * as tls from "node:tls"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { authority, type Certificate, makeAuthority, selfSigned } from "../support/certificates.ts"
import {
  attempt,
  device,
  type Kind,
  kinds,
  openSubscription,
  other,
  read,
  rules,
  secret,
  serve,
  type Service,
  speaking,
} from "./Service.ts"

const names = (...values: ReadonlyArray<string>) => values.map((value) => ({ type: "dns", value }) as const)
const issue = (...values: ReadonlyArray<string>) => authority.issue({ names: names(...values) })

const good = await issue(device)
const stranger = await makeAuthority("a stranger")
/** Of the same name as the one that is trusted. */
const impostor = await makeAuthority()
const leaf = await issue("leaf.example.org")
const signedByLeaf = await leaf.issue({ names: names(device) })

/** Handshakes that must not come to an end: nobody gets a byte. */
const handshakes: Readonly<Record<string, tls.ConnectionOptions>> = {
  "no certificate": {},
  "no certificate, by TLS 1.2": { maxVersion: "TLSv1.2" },
  "a certificate of another authority": await stranger.issue({ names: names(device) }),
  "a certificate of another authority of the same name": await impostor.issue({ names: names(device) }),
  "a certificate that has signed itself": await selfSigned({ names: names(device) }),
  "a certificate that has expired": await authority.issue({ names: names(device), days: [-30, -1] }),
  "a certificate that does not hold yet": await authority.issue({ names: names(device), days: [1, 30] }),
  "a certificate for servers alone": await authority.issue({ names: names(device), usages: ["server"] }),
  "a certificate signed by one that is no authority": { ...signedByLeaf, cert: `${signedByLeaf.cert}${leaf.cert}` },
  "TLS 1.1": { ...good, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
  "TLS 1.0": { ...good, minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" },
}

/** Certificates that are good, of clients that rules do not know. */
const strangers: Readonly<Record<string, Certificate>> = {
  "the name of nobody": await issue("nobody.example.org"),
  "a common name alone": await authority.issue({ commonName: device, names: [] }),
  "a common name, and another name": await authority.issue({ commonName: device, names: names("nobody.example.org") }),
  "a wildcard": await issue("*.example.org"),
  "a wildcard for all": await issue("*"),
  capitals: await issue(device.toUpperCase()),
  "a dot behind the name": await issue(`${device}.`),
  "a longer name": await issue(`a.${device}`),
  "the end of the name": await issue("example.org"),
  "a name with NUL in it": await issue(`${device}\0.nobody.example.org`),
  "a name that looks like two": await issue(`nobody.example.org, DNS:${device}`),
  "the name as an email address": await authority.issue({ names: [{ type: "email", value: device }] }),
  "the name as a URI": await authority.issue({ names: [{ type: "url", value: device }] }),
  "the name as a directory name": await authority.issue({ names: [{ type: "dn", value: `CN=${device}` }] }),
  "the names of two principals": await issue(device, other),
}

/** What is sent to a port as it is, without a handshake. */
const plainTexts: Readonly<Record<string, Uint8Array>> = {
  "HTTP/2 without TLS": Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.alloc(9)]),
  "HTTP/1.1 without TLS": Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "BUS/RT without TLS": Buffer.from([0xeb, 1, 0, ...Buffer.from([6, 0]), ...Buffer.from("device")]),
  "a handshake of garbage": Buffer.concat([Buffer.from([22, 3, 1, 1, 0]), Buffer.alloc(256, 0xa5)]),
  "a record that is longer than there may be": Buffer.from([22, 3, 1, 0xff, 0xff, 1]),
}

/** Sends bytes to a port, and gives what comes back until it is closed: of TLS, alerts may come. */
const sendPlain = (port: number, bytes: Uint8Array): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks))))
  })

/** Only alerts of TLS: records of type 21. */
const isAlerts = (bytes: Buffer): boolean => bytes.length === 0 || (bytes[0] === 21 && bytes.length <= 7)

/** What a principal has instead of its first certificate. */
const other2 = "device-2.example.org"
const renamed = await issue(other2)

let tried = 0
const accepted: Array<string> = []

const note = (kind: Kind, what: string, isAccepted: boolean): void => {
  tried += 1
  if (isAccepted) accepted.push(`${kind}: ${what}`)
}

const isRead = (service: Service, kind: Kind, shown: Certificate, name?: string) =>
  Effect.map(
    Effect.result(read(service, kind, { ca: authority.cert, ...shown }, name)),
    (result) => result._tag === "Success",
  )

describe("a node under TLS", () => {
  it.live(
    "gives nothing to who may not have it",
    () =>
      Effect.gen(function* () {
        const service = yield* serve()
        for (const kind of kinds) {
          for (const [what, options] of Object.entries(handshakes)) {
            note(kind, what, (yield* attempt(service, kind, options)).length > 0)
          }
          for (const [what, bytes] of Object.entries(plainTexts)) {
            note(kind, what, !isAlerts(yield* sendPlain(service.port(kind), bytes)))
          }
          for (const [what, shown] of Object.entries(strangers)) {
            note(kind, what, yield* isRead(service, kind, shown))
          }
          if (kind !== "grpc") note(kind, "the name of another client", yield* isRead(service, kind, good, "other"))
          if (kind !== "grpc")
            note(kind, "its name without a certificate of its own", yield* isRead(service, kind, leaf))

          // Controls: each of these ways leads there.
          expect(yield* read(service, kind, { ca: authority.cert, ...good })).toBe(secret)
          for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
            const given = yield* attempt(service, kind, { ...good, minVersion: version, maxVersion: version })
            expect(given.length, `${kind} ${version}`).toBeGreaterThan(0)
          }
        }
        const overHttp1 = { ...good, ALPNProtocols: ["http/1.1"] }
        note("grpc", "HTTP/1.1 under TLS", (yield* attempt(service, "tls", overHttp1, service.port("grpc"))).length > 0)
        expect(accepted).toEqual([])
        expect(tried).toBeGreaterThan(20)
        console.info(`clients that may not: ${tried} attempts, ${accepted.length} accepted`)
      }).pipe(Effect.scoped),
    60_000,
  )

  it.live("would be reached by the old versions of TLS, if it spoke them", () =>
    Effect.gen(function* () {
      for (const version of ["TLS 1.1", "TLS 1.0"]) {
        const { port } = yield* speaking({ minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" })
        expect((yield* attempt(undefined, "tls", handshakes[version]!, port)).length).toBeGreaterThan(0)
      }
    }).pipe(Effect.scoped),
  )

  it.live(
    "ends what a principal has open when its certificate is taken away, and lets it in no more",
    () =>
      Effect.gen(function* () {
        const service = yield* serve()
        for (const kind of kinds) {
          service.access.replace(rules)
          const tls = { ca: authority.cert, ...good }
          const open = yield* openSubscription(service, kind, tls)
          yield* open.first
          const { device: before } = rules.principals
          service.access.replace({ principals: { ...rules.principals, device: { ...before, certificates: [other2] } } })
          yield* service.topics.publish("secret", `came later to ${kind}`)
          yield* open.ended
          expect(open.received()).not.toContain(`came later to ${kind}`)
          note(kind, "a certificate that was taken away", yield* isRead(service, kind, good))
          expect(yield* isRead(service, kind, renamed), kind).toBe(true)
        }
        expect(accepted).toEqual([])
      }).pipe(Effect.scoped),
    60_000,
  )
})
