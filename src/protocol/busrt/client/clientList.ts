/**
 * Who is connected to an exchange elsewhere, as its `.broker` says: asked by `client.list`, on a connection of its own,
 * under a name that nobody else has.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ClientName from "../../../domain/ClientName.ts"
import { type AccessDenied, Unavailable } from "../../../domain/errors.ts"
import type { ClientInfo, ConnectError, ExchangeClient } from "../../../exchange/index.ts"
import * as Rpc from "../../../rpc/index.ts"

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optional(Schema.NullOr(schema))

/** A client as `client.list` tells of it. */
export const ListedClient = Schema.Struct({
  name: Schema.String,
  kind: Schema.Literals(["internal", "local_ipc", "tcp", "websocket"]),
  source: optional(Schema.String),
  port: optional(Schema.String),
  r_frames: Schema.Int,
  r_bytes: Schema.Int,
  w_frames: Schema.Int,
  w_bytes: Schema.Int,
  queue: Schema.Int,
  instances: Schema.Int,
})
export type ListedClient = typeof ListedClient.Type

const ClientList = Schema.Struct({ clients: Schema.Array(ListedClient) })

/** The clients that a broker has, those alone whose names its filter finds. */
export const list = (rpc: Rpc.Rpc, filter?: string) =>
  Effect.map(
    Rpc.callValue(rpc, ClientName.broker, "client.list", filter === undefined ? undefined : { filter }, ClientList),
    ({ clients }) => clients,
  )

const infoOf = (client: ListedClient): ClientInfo => ({
  name: client.name,
  kind: client.kind,
  source: client.source ?? undefined,
  // Of a socket in the file system it may be a path.
  port: /^\d+$/.test(client.port ?? "") ? Number(client.port) : undefined,
  framesIn: client.r_frames,
  bytesIn: client.r_bytes,
  framesOut: client.w_frames,
  bytesOut: client.w_bytes,
  dropped: undefined,
  queued: client.queue,
  instances: client.instances,
})

/** A name that nobody else has. A page that did not come over TLS has no `randomUUID`. */
const madeUp = (): string =>
  `millrace.clients.${Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`

/** Asks once, as a client that is there for as long as that takes. It is not told of itself. */
export const clientsBy = (
  connect: (name: string) => Effect.Effect<ExchangeClient, ConnectError, Scope.Scope>,
  name?: string,
): Effect.Effect<ReadonlyArray<ClientInfo>, AccessDenied | Unavailable> =>
  Effect.gen(function* () {
    const asker = name ?? madeUp()
    const rpc = yield* Rpc.make(yield* connect(asker))
    return (yield* list(rpc)).filter((client) => client.name !== asker).map(infoOf)
  }).pipe(
    Effect.scoped,
    Effect.catch((error) =>
      Effect.fail(
        error._tag === "AccessDenied"
          ? error
          : new Unavailable({ message: `who is connected could not be asked: ${error.message}` }),
      ),
    ),
  )
