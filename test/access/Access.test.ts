import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Access from "../../src/access/Access.ts"
import type { AccessRules } from "../../src/access/AccessRules.ts"
import { withinNetworks } from "../../src/access/Networks.ts"
import * as CertificateName from "../../src/domain/CertificateName.ts"
import { hashOf } from "../../src/access/tokens.ts"

const rules: AccessRules = {
  principals: {
    "plant1.line2": { networks: ["10.1.0.0/16", "::1"], send: ["archive"] },
    archive: { subscribe: "any" },
    robot: { tokens: [hashOf("one"), hashOf("two")], networks: ["127.0.0.0/8"], publish: "any" },
    "device-7": {
      certificates: ["device-7.example.org", "spiffe://plant/device-7", "10.0.0.7", "fd00::7"],
      networks: ["127.0.0.0/8"],
      publish: "any",
    },
    "device-8": { certificates: ["device-8.example.org"] },
    ".grpc": { subscribe: ["public/#"] },
  },
}

describe("access", () => {
  const { access } = Access.make(rules)

  it("lets in who is listed, by its primary name (I9)", () => {
    expect(access.permissionsOf("archive", "192.168.0.1")?.principal).toBe("archive")
    expect(access.permissionsOf("archive%%2")?.allows("subscribe", "#")).toBe(true)
    expect(access.permissionsOf(".grpc", "192.168.0.1")?.allows("subscribe", "public/a")).toBe(true)
    for (const name of ["other", "archive2", "", "%%archive", "__proto__", "constructor", ".bus"]) {
      expect(access.permissionsOf(name)).toBeUndefined()
    }
  })

  it("lets a client in from its networks only, and where there is no address", () => {
    for (const source of ["10.1.2.3", "::ffff:10.1.2.3", "::1", undefined]) {
      expect(access.permissionsOf("plant1.line2", source)?.principal).toBe("plant1.line2")
    }
    for (const source of ["10.2.0.1", "::ffff:10.2.0.1", "::2", "", "unknown", "10.1.2.3:80"]) {
      expect(access.permissionsOf("plant1.line2", source)).toBeUndefined()
    }
  })

  it("knows who has tokens by a token, and not by its name", () => {
    for (const token of ["one", "two"]) {
      expect(access.permissionsOfToken(token, "127.0.0.1")?.principal).toBe("robot")
      expect(access.permissionsOfToken(token, "10.1.0.1")).toBeUndefined()
    }
    for (const token of ["", "three", "one ", hashOf("one"), hashOf("one").slice(7)]) {
      expect(access.permissionsOfToken(token, "127.0.0.1")).toBeUndefined()
    }
    expect(access.permissionsOf("robot", "127.0.0.1")).toBeUndefined()
  })

  it("knows who has certificates by one of them, and by nothing else", () => {
    const names = CertificateName.parse
    const inside = "127.0.0.1"
    for (const text of [
      "DNS:device-7.example.org",
      "DNS:else.example.org, DNS:device-7.example.org",
      "URI:spiffe://plant/device-7",
      "IP Address:10.0.0.7",
      "IP Address:FD00:0:0:0:0:0:0:7",
    ]) {
      expect(access.permissionsOf(".grpc", inside, names(text))?.principal, text).toBe("device-7")
      expect(access.permissionsOf("device-7", inside, names(text))?.principal, text).toBe("device-7")
      expect(access.permissionsOf("device-7%%2", inside, names(text))?.principal, text).toBe("device-7")
      // Who is known speaks for itself alone, and from where it may.
      expect(access.permissionsOf("archive", inside, names(text)), text).toBeUndefined()
      expect(access.permissionsOf("device-7", "10.1.0.1", names(text)), text).toBeUndefined()
    }
    for (const text of [
      "",
      "DNS:DEVICE-7.example.org",
      "DNS:device-7.example.org.",
      "DNS:a.device-7.example.org",
      "DNS:*.example.org",
      'DNS:"device-7.example.org\\u0000.evil.example"',
      'DNS:"x\\u002c DNS:device-7.example.org"',
      "email:device-7.example.org",
      "othername:DNS:device-7.example.org",
      "URI:spiffe://plant/device-7/",
      "URI:device-7.example.org",
      "DNS:10.0.0.7",
      "IP Address:10.0.0.70",
      "DNS:device-7.example.org; broken",
    ]) {
      expect(access.permissionsOf("device-7", inside, names(text)), text).toBeUndefined()
      expect(access.permissionsOf(".grpc", inside, names(text))?.principal, text).toBe(".grpc")
    }
    // A certificate of two principals is nobody's.
    const both = names("DNS:device-7.example.org, DNS:device-8.example.org")
    for (const name of [".grpc", "device-7", "device-8", "archive"]) {
      expect(access.permissionsOf(name, inside, both)).toBeUndefined()
    }
  })

  it("is open to everybody where there are no rules", () => {
    const open = Access.open()
    expect(open.hasRules).toBe(false)
    expect(open.permissionsOf("anybody", "192.168.0.1")?.allows("queue", "jobs")).toBe(true)
    expect(open.permissionsOfToken("anything")?.allows("publish", "a")).toBe(true)
  })

  it.effect("tells of those whose rules are others or none, when the rules are replaced", () =>
    Effect.gen(function* () {
      const { access, replace } = Access.make(rules)
      const before = access.permissionsOf("archive")
      const old = access.permissionsOf("plant1.line2")!
      const told: Array<string> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* access.onRevoked((principal) => told.push(principal))
          const { ".grpc": _, ...rest } = rules.principals
          const revoked = replace({
            principals: { ...rest, "plant1.line2": { send: ["other"] }, newcomer: { send: "any" } },
          })
          expect(revoked).toEqual(["plant1.line2", ".grpc"])
          expect(told).toEqual(revoked)
        }),
      )
      // Who was let in keeps what was there then, until it is disconnected.
      expect(old.allows("send", "archive")).toBe(true)
      expect(access.permissionsOf("plant1.line2")?.allows("send", "archive")).toBe(false)
      expect(access.permissionsOf("archive")).toBe(before)
      expect(access.permissionsOf("newcomer")?.allows("send", "archive")).toBe(true)
      expect(access.permissionsOf(".grpc")).toBeUndefined()
      // Whoever listened has left.
      replace({ principals: {} })
      expect(told).toHaveLength(2)
    }),
  )

  it.effect("tells of one client that is to be disconnected", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      yield* access.onRevoked((principal) => told.push(principal))
      yield* access.forceDisconnect("archive%%1")
      expect(told).toEqual(["archive"])
    }),
  )
})

describe("networks", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["fd00::/8", "fdff::1", true],
    ["fe80::/10", "fe80::1%eth0", true],
    ["fd00::/8", "fe00::1", false],
    ["::1", "127.0.0.1", false],
  ])("%s holds %s: %s", (network, source, holds) => {
    expect(withinNetworks([network])(source)).toBe(holds)
  })

  it("hold nothing where there are none", () => {
    expect(withinNetworks([])("127.0.0.1")).toBe(false)
  })
})
