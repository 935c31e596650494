/**
 * Access rules as people write them: one JSON file, by principal what it may do.
 *
 * A principal is a client of the live plane by its (primary) name, who holds one of its tokens or certificates, or `.grpc`:
 * whoever calls by gRPC without one. Who is not listed may do nothing, not even connect. The file is read strictly: what is not
 * understood is refused, in one sentence that names the place.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as ClientName from "../domain/ClientName.ts"
import { certificateKey, certificateNameExpression, certificateNameProblem } from "./certificates.ts"
import { duplicateKey } from "./duplicateKey.ts"
import { networkProblem } from "./Networks.ts"
import { expressions, patternProblem } from "./patternProblem.ts"
import { tokenHashExpression, tokenHashProblem } from "./tokens.ts"
import { type ObjectKind, type Verb, verbNames, verbs } from "./Verb.ts"

/** Whoever calls by gRPC without a token, and without a certificate that is somebody's. */
export const anonymous = ".grpc"

const textOf = (problem: (text: string) => string | undefined, expression?: string) =>
  Schema.String.check(
    Schema.makeFilter(problem, { toJsonSchema: () => (expression === undefined ? {} : { pattern: expression }) }),
  )

/** A list in which nothing comes twice. */
const distinct = (item: ReturnType<typeof textOf>) =>
  Schema.Array(item).check(
    Schema.makeFilter(
      (items: ReadonlyArray<string>) => {
        const at = items.findIndex((text, index) => items.indexOf(text) < index)
        return at === -1 ? undefined : { path: [at], issue: "it is in the list already" }
      },
      { toJsonSchema: () => ({ uniqueItems: true }) },
    ),
  )

const written: Readonly<Record<ObjectKind, string>> = {
  name: "masks over names",
  mask: "masks over names",
  topic: "topic filters",
  filter: "topic filters",
  queue: "filters over queues",
  operation: "operations",
}

const allowance = (verb: Verb) => {
  const { about, objects } = verbs[verb]
  const pattern = textOf((text) => patternProblem(objects, text), expressions[objects])
  return Schema.optionalKey(
    Schema.Union([Schema.Literal("any"), distinct(pattern)]).annotate({
      expected: `"any" or a list of ${written[objects]}`,
      description: about,
    }),
  )
}

const unknown = (known: ReadonlyArray<string>) => ({
  messageUnexpectedKey: `it means nothing here: what is understood is ${known.join(", ")}`,
})

/** What one principal may do, and how it is known. */
export const Principal = Schema.Struct({
  networks: Schema.optionalKey(
    distinct(textOf(networkProblem)).annotate({
      description: "where it may connect from, as CIDR; absent: from anywhere. Unix sockets have no address, and pass.",
    }),
  ),
  tokens: Schema.optionalKey(
    distinct(textOf(tokenHashProblem, tokenHashExpression)).annotate({
      description: "hashes of the bearer tokens that prove it, as sha256:HEX; with them it is known by nothing else",
    }),
  ),
  certificates: Schema.optionalKey(
    distinct(textOf(certificateNameProblem, certificateNameExpression)).annotate({
      description:
        "names in the certificates that prove it, each a DNS name, an address or a URI, exactly as in the certificate; with them it is known by nothing else",
    }),
  ),
  send: allowance("send"),
  broadcast: allowance("broadcast"),
  publish: allowance("publish"),
  subscribe: allowance("subscribe"),
  delete: allowance("delete"),
  queue: allowance("queue"),
  sync: allowance("sync"),
  admin: allowance("admin"),
}).annotate(unknown(["networks", "tokens", "certificates", ...verbNames]))
export type Principal = typeof Principal.Type

const principalProblem = (name: string): string | undefined => {
  if (name === anonymous) return undefined
  const wrong = ClientName.problem(name)
  if (wrong !== undefined) return `${wrong}; only ${JSON.stringify(anonymous)} is known beside clients' names`
  return ClientName.isSecondary(name)
    ? `a secondary client has the rules of its primary, ${JSON.stringify(ClientName.primaryOf(name))}`
    : undefined
}

type Principals = Readonly<Record<string, Principal>>

/** What proves who somebody is, and so is one principal's alone. */
const proofs = [
  { field: "tokens", what: "token", keyOf: (hash: string) => hash.toLowerCase() },
  { field: "certificates", what: "certificate", keyOf: certificateKey },
] as const

const principalsProblem = (principals: Principals) => {
  const owners = new Map<string, string>()
  for (const [name, principal] of Object.entries(principals)) {
    const wrong = principalProblem(name)
    if (wrong !== undefined) return { path: [name], issue: wrong }
    for (const { field, what, keyOf } of proofs) {
      const written = principal[field] ?? []
      if (name === anonymous && written.length > 0) {
        return { path: [name, field], issue: `it is who calls without a ${what}` }
      }
      for (const [at, proof] of written.entries()) {
        const key = `${what} ${keyOf(proof)}`
        const owner = owners.get(key)
        if (owner !== undefined) {
          return { path: [name, field, at], issue: `it is a ${what} of ${JSON.stringify(owner)} already` }
        }
        owners.set(key, name)
      }
    }
  }
  return undefined
}

export const AccessRules = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String.annotate({ description: "the JSON Schema of this file, for editors" })),
  principals: Schema.Record(Schema.String, Principal)
    .annotate({
      description: `by its name, what each principal may do: a client, or ${anonymous} for gRPC without a token or certificate`,
    })
    .check(Schema.makeFilter(principalsProblem, { toJsonSchema: () => ({}) }))
    .annotateKey({ messageMissingKey: "it is missing" }),
}).annotate({
  title: "millrace access rules",
  description: "Who is not listed may do nothing, not even connect.",
  ...unknown(["$schema", "principals"]),
})
export type AccessRules = typeof AccessRules.Type

/** `principals["plant1.line2"].publish[0]`. */
const place = (path: ReadonlyArray<PropertyKey>): string =>
  path
    .map((key) =>
      typeof key === "number"
        ? `[${key}]`
        : /^[a-z$][a-zA-Z]*$/.test(String(key))
          ? `.${String(key)}`
          : `[${JSON.stringify(String(key))}]`,
    )
    .join("")
    .replace(/^\./, "")

const at = (path: ReadonlyArray<PropertyKey>, message: string): string =>
  path.length === 0 ? message : `${place(path)}: ${message}`

/** What the schema library says of a value of another type, as part of a sentence. */
const types: Readonly<Record<string, string>> = {
  "Expected object": "it must be an object",
  "Expected array": "it must be a list",
  "Expected string": "it must be a text",
}

const plain = (message: string): string => types[message] ?? message.replace(/^Expected/, "it must be")

const readable = SchemaIssue.makeFormatterStandardSchemaV1()
const decode = Schema.decodeUnknownResult(AccessRules, { onExcessProperty: "error" })

const pathOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> = []): ReadonlyArray<PropertyKey> =>
  path.map((segment) => (typeof segment === "object" ? segment.key : segment))

/** The rules that a text says, or what is wrong with it, as a sentence without a full stop. */
export const parse = (text: string): Result.Result<AccessRules, string> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return Result.fail("it is not valid JSON")
  }
  const twice = duplicateKey(text)
  if (twice !== undefined) return Result.fail(at(twice, "it is there twice"))
  return Result.mapError(decode(value), ({ issue }) => {
    const [first] = readable(issue).issues
    return first === undefined ? issue.toString() : at(pathOf(first.path), plain(first.message))
  })
}

/** The JSON Schema of access rules, for editors and other programs. */
export const jsonSchema = (): object => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(AccessRules, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...schema,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
  }
}
