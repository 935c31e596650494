/**
 * Where a listener listens, or a client dials: a socket file, a host and a port, a named pipe.
 *
 * As text: `unix:PATH`, `tcp:HOST:PORT`, `tls:HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://HOST:PORT/PATH`, and on Windows
 * `\\.\pipe\NAME`. `ws:HOST:PORT` and `tcp://HOST:PORT` are understood too. An IPv6 address stands in brackets; port 0
 * lets the system choose one.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { InvalidArgument } from "../domain/errors.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
const place = { host: Schema.NonEmptyString, port: Port }

export const Endpoint = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("unix"), path: Schema.NonEmptyString }),
  Schema.Struct({ kind: Schema.Literal("pipe"), path: Schema.NonEmptyString }),
  Schema.Struct({ kind: Schema.Literals(["tcp", "tls"]), ...place }),
  /** `path` is the one that a client asks for, `/` where none is given. */
  Schema.Struct({ kind: Schema.Literals(["ws", "wss"]), ...place, path: Schema.NonEmptyString }),
])
export type Endpoint = typeof Endpoint.Type

export type Kind = Endpoint["kind"]

/** An endpoint in the file system's names, which has no host. */
export type FileEndpoint = Extract<Endpoint, { readonly kind: "unix" | "pipe" }>

export type WebSocketEndpoint = Extract<Endpoint, { readonly kind: "ws" | "wss" }>

export const isFile = (endpoint: Endpoint): endpoint is FileEndpoint =>
  endpoint.kind === "unix" || endpoint.kind === "pipe"

export const isWebSocket = (endpoint: Endpoint): endpoint is WebSocketEndpoint =>
  endpoint.kind === "ws" || endpoint.kind === "wss"

/** Whether what goes over it is encrypted. */
export const isSecure = ({ kind }: Endpoint): boolean => kind === "tls" || kind === "wss"

/** What an endpoint is written as. */
export const takes =
  "unix:PATH, tcp:HOST:PORT, tls:HOST:PORT, ws://HOST:PORT[/PATH], wss://HOST:PORT[/PATH] or \\\\.\\pipe\\NAME"

/** The ports of a URL that names none. */
const defaultPorts: Readonly<Record<string, number>> = { ws: 80, wss: 443 }

const withHost =
  /^(tcp|tls|wss?):(\/\/)?(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]@?#\\%]+))(?::(\d{1,5}))?(\/[^\s?#]*)?$/

const parseHost = (text: string): Endpoint | undefined => {
  const [, kind, slashes, bracketed, name, digits, path] = withHost.exec(text) ?? []
  const host = bracketed ?? name
  const port = digits === undefined ? (slashes === undefined ? undefined : defaultPorts[kind!]) : Number(digits)
  if (host === undefined || port === undefined || port > 65_535) return undefined
  // What is in brackets is an IPv6 address, and has a colon.
  if (bracketed !== undefined && !bracketed.includes(":")) return undefined
  if (kind === "ws" || kind === "wss") return { kind, host, port, path: path ?? "/" }
  return path === undefined || path === "/" ? { kind: kind as "tcp" | "tls", host, port } : undefined
}

const read = (text: string): Endpoint | undefined => {
  if (text.includes("\0")) return undefined
  if (/^\\\\[.?]\\pipe\\./i.test(text)) return { kind: "pipe", path: text }
  // `unix:///run/a.sock` names the file that `unix:/run/a.sock` does.
  const path = /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1]
  return path === undefined ? parseHost(text) : { kind: "unix", path }
}

/** Reads an endpoint, or says what one is written as. */
export const parse = (text: string): Result.Result<Endpoint, InvalidArgument> => {
  const endpoint = read(text)
  return endpoint === undefined
    ? Result.fail(
        new InvalidArgument({
          argument: "endpoint",
          message: `an endpoint is ${takes}, not ${JSON.stringify(text)}`,
        }),
      )
    : Result.succeed(endpoint)
}

const formatPlace = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`

/** The text that `parse` reads; a WebSocket's is a URL. */
export const format = (endpoint: Endpoint): string => {
  switch (endpoint.kind) {
    case "unix":
      return `unix:${endpoint.path}`
    case "pipe":
      return endpoint.path
    case "tcp":
    case "tls":
      return `${endpoint.kind}:${formatPlace(endpoint)}`
    case "ws":
    case "wss":
      return `${endpoint.kind}://${formatPlace(endpoint)}${endpoint.path}`
  }
}

/** An endpoint as it is written in flags and files. */
export const FromString = Schema.String.pipe(
  Schema.decodeTo(
    Endpoint,
    SchemaTransformation.transformEffect<Endpoint, string>({
      decode: (text) =>
        Effect.mapError(Effect.fromResult(parse(text)), ({ message }) => new SchemaIssue.InvalidValue({ message })),
      encode: (endpoint) => Effect.succeed(format(endpoint)),
    }),
  ),
)
