/**
 * `endpoints.json` in a node's data directory: where the node that runs there can be reached, so that clients on this
 * machine find it without being told. Written whole when the node is ready, removed when it stops.
 */
import { randomUUID } from "node:crypto"
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { reasonOf, StartFailed } from "./StartFailed.ts"

/** URLs of what is served; a listener that is off is absent. */
export const Endpoints = Schema.Struct({
  node: Schema.String,
  pid: Schema.Int,
  /** Made for each start: tells one node's file from its successor's. */
  instance: Schema.String,
  grpc: Schema.optionalKey(Schema.String),
  busrt: Schema.optionalKey(Schema.Array(Schema.String)),
  admin: Schema.optionalKey(Schema.String),
  tls: Schema.optionalKey(
    Schema.Struct({
      /** The path of the file with the node's certificate: who has that needs no names and nobody who signs. */
      certificate: Schema.String,
      /** Whether clients have to show a certificate, too. */
      asksClients: Schema.Boolean,
    }),
  ),
})
export type Endpoints = typeof Endpoints.Type

const EndpointsJson = Schema.fromJsonString(Endpoints)

export const fileName = "endpoints.json"

/** What stands in a data directory's file; none where there is no file, or none that can be read. */
export const read = (directory: string): Option.Option<Endpoints> => {
  try {
    return Schema.decodeUnknownOption(EndpointsJson)(readFileSync(join(directory, fileName), "utf8"))
  } catch {
    // No file is the normal case of a client that is started elsewhere: it goes on to the default address.
    return Option.none()
  }
}

/** Writes the file, for as long as the scope is open. */
export const publish = (
  directory: string,
  endpoints: Omit<Endpoints, "instance" | "pid">,
): Effect.Effect<void, StartFailed, Scope.Scope> => {
  const path = join(directory, fileName)
  const instance = randomUUID()
  return Effect.acquireRelease(
    Effect.try({
      try: () => {
        const temporary = `${path}.${process.pid}`
        const content = Schema.encodeSync(EndpointsJson)({ ...endpoints, pid: process.pid, instance })
        writeFileSync(temporary, `${content}\n`, { mode: 0o600 })
        renameSync(temporary, path)
      },
      catch: (cause) => new StartFailed({ message: `${path} cannot be written: ${reasonOf(cause)}` }),
    }),
    () =>
      Effect.sync(() => {
        if (Option.exists(read(directory), (found) => found.instance === instance)) rmSync(path, { force: true })
      }),
  )
}
