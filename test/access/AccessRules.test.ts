import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as AccessRules from "../../src/access/AccessRules.ts"
import { hashOf } from "../../src/access/tokens.ts"
import { verbNames } from "../../src/access/Verb.ts"

const hash = hashOf("secret")
const principals = (rules: object): string => JSON.stringify({ principals: rules })
const problem = (text: string): string => Result.getOrThrow(Result.flip(AccessRules.parse(text)))

describe("a file of access rules", () => {
  it("is read as it is written", () => {
    const rules = {
      $schema: "./access.schema.json",
      principals: {
        "plant1.line2": {
          networks: ["10.0.0.0/8", "fd00::/8", "192.168.1.7"],
          tokens: [hash],
          certificates: ["device-7.example.org", "spiffe://plant/device-7", "10.0.0.7", "fd00::7"],
          send: ["plant1.?", ".bus"],
          broadcast: ["plant1.*"],
          publish: "any",
          subscribe: ["a/b", "a/+/c", "#", ".broker/#", "$msgbus.delete"],
          delete: [],
          queue: ["jobs/+"],
          sync: "any",
          admin: ["stats", "backup"],
        },
        ".grpc": {},
      },
    }
    expect(AccessRules.parse(JSON.stringify(rules))).toEqual(Result.succeed(rules))
  })

  it.each([
    ["", "it is not valid JSON"],
    ["[]", "it must be an object"],
    ["{}", "principals: it is missing"],
    ['{"principals": []}', "principals: it must be an object"],
    ['{"principals": {}, "rules": {}}', "rules: it means nothing here"],
    [
      principals({ a: { publis: "any" } }),
      "principals.a.publis: it means nothing here: what is understood is networks",
    ],
    [
      principals({ "a.b": { publish: "all" } }),
      'principals["a.b"].publish: it must be "any" or a list of topic filters',
    ],
    [principals({ a: { publish: true } }), 'principals.a.publish: it must be "any" or a list of topic filters'],
    [principals({ a: { publish: [1] } }), "principals.a.publish[0]: it must be a text"],
    [principals({ a: null }), "principals.a: it must be an object"],
    [principals({ a: { publish: ["x", "a+"] } }), 'principals.a.publish[1]: "+" and "#" must stand alone'],
    [
      principals({ a: { subscribe: ["a/#/b"] } }),
      'principals.a.subscribe[0]: "#" stands for any rest, so nothing follows',
    ],
    [principals({ a: { subscribe: [" "] } }), "principals.a.subscribe[0]: a topic filter must not be empty"],
    [principals({ a: { subscribe: ["a/".repeat(64) + "a"] } }), "has at most 64 parts"],
    [principals({ a: { queue: ["a#"] } }), "principals.a.queue[0]"],
    [principals({ a: { send: ["plant*"] } }), 'principals.a.send[0]: "?" and "*" must stand alone between dots'],
    [principals({ a: { send: ["b%%1"] } }), "principals.a.send[0]: a secondary client goes with its primary"],
    [principals({ a: { broadcast: ["a.*.b"] } }), 'principals.a.broadcast[0]: "*" stands for any rest'],
    [principals({ a: { admin: ["all"] } }), "principals.a.admin[0]: an operation is one of stats, examine"],
    [principals({ a: { send: ["x", "y", "x"] } }), "principals.a.send[2]: it is in the list already"],
    [principals({ a: { networks: "10.0.0.0/8" } }), "principals.a.networks: it must be a list"],
    [principals({ a: { networks: ["10.0.0.0/33"] } }), "principals.a.networks[0]: a network is written like"],
    [principals({ a: { networks: ["example.org"] } }), "principals.a.networks[0]: a network is written like"],
    [principals({ a: { tokens: ["my secret"] } }), 'principals.a.tokens[0]: a token is written "sha256:"'],
    [
      principals({ a: { tokens: [hash] }, b: { tokens: [hash.toUpperCase().replace("SHA", "sha")] } }),
      'principals.b.tokens[0]: it is a token of "a" already',
    ],
    [principals({ ".grpc": { tokens: [hash] } }), 'principals[".grpc"].tokens: it is who calls without a token'],
    [
      principals({ a: { certificates: ["*.example.org"] } }),
      "principals.a.certificates[0]: the name of a certificate is a DNS name, an address or a URI, written out",
    ],
    [principals({ a: { certificates: ["a\0b"] } }), "principals.a.certificates[0]"],
    [principals({ a: { certificates: ["CN=a"] } }), "principals.a.certificates[0]"],
    [principals({ a: { certificates: ["fe80::1%eth0"] } }), "principals.a.certificates[0]"],
    [
      principals({ a: { certificates: ["fd00::7"] }, b: { certificates: ["FD00:0::7"] } }),
      'principals.b.certificates[0]: it is a certificate of "a" already',
    ],
    [
      principals({ ".grpc": { certificates: ["a"] } }),
      'principals[".grpc"].certificates: it is who calls without a certificate',
    ],
    [principals({ ".broker": {} }), 'principals[".broker"]: client names that begin with "."'],
    [principals({ "a%%b": {} }), 'principals["a%%b"]: a secondary client has the rules of its primary, "a"'],
    [principals({ "": {} }), 'principals[""]: a client name must not be empty'],
    ['{"principals": {"a": {}, "b": {"x": "{\\"a\\":1"}, "a": {}}}', "principals.a: it is there twice"],
    ['{"principals": {"a": {"send": "any", "\\u0073end": []}}}', "principals.a.send: it is there twice"],
    ['{"principals": {"__proto__": {"send": 1}}}', 'principals["__proto__"].send: it must be'],
  ])("is refused with its place: %s", (text, sentence) => {
    const found = problem(text)
    expect(found).toContain(sentence)
    expect(found).not.toContain("\n")
  })

  it("never has its secrets repeated", () => {
    expect(problem(principals({ a: { tokens: ["my secret"] } }))).not.toContain("my secret")
  })

  it("may have the same key in different objects, and a comma, a brace or a quote in a text", () => {
    const text = '{"principals": {"a,b{": {"send": ["x\\"y", "]"]}, "b": {"send": [":"], "publish": "any"}}}'
    expect(Result.isSuccess(AccessRules.parse(text))).toBe(true)
  })

  it("has a rule for every verb", () => {
    const every = Object.fromEntries(verbNames.map((verb) => [verb, "any"]))
    expect(Result.isSuccess(AccessRules.parse(principals({ a: every })))).toBe(true)
  })
})
