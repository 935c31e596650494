/**
 * Flags that many commands share, and handlers that are loaded when they run.
 */
import * as Effect from "effect/Effect"
import { Flag } from "effect/cli"

const url = Flag.String("url").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    "node to talk to, by grpc://, grpcs:// or as a socket by unix:, tcp:, ws:, tls:, wss:; else MILLRACE_URL, ./millrace-data/endpoints.json, grpc://127.0.0.1:50051",
  ),
  Flag.optional,
)
const liveUrl = Flag.String("url").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    "node to talk to: unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, tls: or wss:; else MILLRACE_URL, ./millrace-data/endpoints.json",
  ),
  Flag.optional,
)
const pemFile = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const tls = {
  ca: pemFile("tls-ca", "who signs the node's certificate, in PEM; else MILLRACE_TLS_CA, or those that Node trusts"),
  cert: pemFile("tls-cert", "certificate to show to the node, in PEM; else MILLRACE_TLS_CERT"),
  key: pemFile("tls-key", "key of --tls-cert, in PEM; else MILLRACE_TLS_KEY"),
  domain: Flag.String("tls-domain").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("name that the node's certificate has to be for; else MILLRACE_TLS_DOMAIN, or the URL's host"),
    Flag.optional,
  ),
}

/** Which node a command talks to. */
export const at = { url, ...tls }

/** The same for what goes over sockets alone. */
export const liveAt = { url: liveUrl, ...tls }

export const json = Flag.Boolean("json").pipe(Flag.withDescription("one JSON object a line"), Flag.withDefault(false))
/** An optional flag with a value. */
export const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

/** A handler that is loaded when it runs. */
export const lazily =
  <Input, A, E>(load: () => Promise<(input: Input) => Effect.Effect<A, E>>) =>
  (input: Input): Effect.Effect<A, E> =>
    Effect.flatMap(Effect.promise(load), (handler) => handler(input))
