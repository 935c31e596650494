/**
 * Which node a command talks to, and by which certificates: flags, else `MILLRACE_*` variables, else what the node of
 * `./millrace-data` says of itself, else the default address.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as EndpointsFile from "../node/EndpointsFile.ts"
import { type PemFile, type PemProblem, readAuthorities, readPair } from "../node/pemFiles.ts"
import type { TlsDialOptions } from "../transport/tls.ts"
import { UsageError } from "./UsageError.ts"

/** The flags that say it. */
export interface NodeAt {
  readonly url: Option.Option<string>
  readonly ca: Option.Option<string>
  readonly cert: Option.Option<string>
  readonly key: Option.Option<string>
  readonly domain: Option.Option<string>
}

/** A node, and how it is reached under TLS. */
export interface Target {
  readonly url: string
  readonly tls: TlsDialOptions | undefined
}

const defaultUrl = "grpc://127.0.0.1:50051"

/** The data directory that a node has where nobody named another. */
export const defaultDirectory = "./millrace-data"

const variable = (name: string): string | undefined => process.env[name] || undefined

/** The URL that somebody gave. */
export const givenUrl = ({ url }: NodeAt): string | undefined =>
  Option.isSome(url) ? url.value : variable("MILLRACE_URL")

const isSecure = (url: string): boolean => /^(?:grpcs|https|tls|wss):/.test(url)

const names = ["ca", "cert", "key"] as const
type Name = (typeof names)[number]

/** A file of a flag, else of the variable that says the same: `serve` knows some of those, too, and their `off`. */
const fileOf = (at: NodeAt, name: Name): PemFile | undefined => {
  const flag = at[name]
  if (Option.isSome(flag)) return { setting: `--tls-${name}`, path: flag.value }
  const setting = `MILLRACE_TLS_${name.toUpperCase()}`
  const path = variable(setting)
  return path === undefined || path === "off" ? undefined : { setting, path }
}

const usable = <A>(read: Result.Result<A, PemProblem>): Effect.Effect<A, UsageError> =>
  Effect.mapError(
    Effect.fromResult(read),
    ({ sentence, setting }) => new UsageError({ message: `${setting}: ${sentence}` }),
  )

/** What the command shows to the node. */
const pairOf = Effect.fnUntraced(function* (at: NodeAt) {
  const [cert, key] = [fileOf(at, "cert"), fileOf(at, "key")]
  if (cert === undefined && key === undefined) return {}
  if (cert === undefined) return yield* new UsageError({ message: `${key!.setting} needs --tls-cert` })
  if (key === undefined) return yield* new UsageError({ message: `${cert.setting} needs --tls-key` })
  return yield* usable(readPair(cert, key, yield* Clock.currentTimeMillis))
})

/** Whom the command trusts: who is named, else the very certificate of the node of this directory. */
const trustOf = (at: NodeAt, published: EndpointsFile.Endpoints | undefined) => {
  const ca = fileOf(at, "ca")
  if (ca !== undefined) return Effect.map(usable(readAuthorities(ca)), (text) => ({ ca: text }))
  const path = published?.tls?.certificate
  if (path === undefined) return Effect.succeed({})
  const setting = `the certificate of the node of ${defaultDirectory}`
  return Effect.map(usable(readAuthorities({ setting, path })), (pinned) => ({ pinned }))
}

/**
 * The certificates for a URL; undefined where it is without TLS.
 *
 * @param published what the node says of itself, where the URL is from there
 */
export const tlsFor = Effect.fnUntraced(function* (
  url: string,
  at: NodeAt,
  published?: EndpointsFile.Endpoints,
): Effect.fn.Return<TlsDialOptions | undefined, UsageError> {
  if (!isSecure(url)) {
    const given = [...names, "domain" as const].find((name) => Option.isSome(at[name]))
    if (given === undefined) return undefined
    return yield* new UsageError({
      message: `--tls-${given} is for a node with TLS, and ${url} is without: with it a URL begins with grpcs://, tls: or wss://`,
    })
  }
  const pair = yield* pairOf(at)
  if (published?.tls?.asksClients === true && !("cert" in pair)) {
    return yield* new UsageError({
      message: `the node of ${defaultDirectory} lets in only who shows a certificate: give one with --tls-cert and --tls-key, or MILLRACE_TLS_CERT and MILLRACE_TLS_KEY`,
    })
  }
  const domain = Option.getOrElse(at.domain, () => variable("MILLRACE_TLS_DOMAIN"))
  return { ...pair, ...(yield* trustOf(at, published)), domain }
})

/** The node to talk to. */
export const findTarget = Effect.fnUntraced(function* (at: NodeAt): Effect.fn.Return<Target, UsageError> {
  const given = givenUrl(at)
  const published = given === undefined ? Option.getOrUndefined(EndpointsFile.read(defaultDirectory)) : undefined
  const url = given ?? published?.grpc ?? defaultUrl
  return { url, tls: yield* tlsFor(url, at, published) }
})
