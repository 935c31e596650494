/**
 * What `--busrt` says: where the live plane is served. `unix:` alone is a socket in the data directory, as `sqlite:` is a
 * file there.
 */
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Endpoint from "../transport/Endpoint.ts"
import * as Exposure from "../transport/exposure.ts"
import type { ListenFailed } from "../transport/errors.ts"
import * as SocketPath from "../transport/SocketPath.ts"

const InDirectory = Schema.Struct({ kind: Schema.Literal("in directory") })

export const BusrtEndpoint = Schema.Union([InDirectory, Endpoint.Endpoint])
export type BusrtEndpoint = typeof BusrtEndpoint.Type

/** The socket of `--busrt unix:`, in the data directory. */
export const nameInDirectory = "millrace.sock"

export const takes =
  "unix: (a socket in the data directory), unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, or with TLS tls:HOST:PORT or wss://HOST:PORT"

const inDirectory = "unix:"

export const parse = (text: string): BusrtEndpoint | undefined => {
  if (text === inDirectory) return { kind: "in directory" }
  return Result.getOrUndefined(Endpoint.parse(text))
}

export const format = (endpoint: BusrtEndpoint): string =>
  endpoint.kind === "in directory" ? inDirectory : Endpoint.format(endpoint)

/** Whether what goes over it is encrypted. */
export const isSecure = (endpoint: BusrtEndpoint): boolean =>
  endpoint.kind !== "in directory" && Endpoint.isSecure(endpoint)

/** Whether others than this machine may reach it. */
export const isExposed = (endpoint: BusrtEndpoint): boolean =>
  endpoint.kind !== "in directory" && Exposure.isExposed(endpoint)

/**
 * Where a node of this data directory listens. A socket whose path would be too long there is in the runtime directory,
 * which is made.
 */
export const place = (endpoint: BusrtEndpoint, directory: string): Effect.Effect<Endpoint.Endpoint, ListenFailed> => {
  if (endpoint.kind === "unix") return Effect.succeed({ kind: "unix", path: resolve(endpoint.path) })
  if (endpoint.kind !== "in directory") return Effect.succeed(endpoint)
  const wanted = join(directory, nameInDirectory)
  const path = SocketPath.shortened(wanted, SocketPath.surroundings())
  const placed: Endpoint.Endpoint = { kind: "unix", path }
  return path === wanted ? Effect.succeed(placed) : Effect.as(SocketPath.makeDirectory(path), placed)
}
