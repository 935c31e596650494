/**
 * The server: the exchange of this process, for clients on sockets.
 *
 * Its scope is its life. Closing it stops listening, lets what was written for its clients reach them, and leaves
 * nothing behind.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Access } from "../../../access/Access.ts"
import { Router, type RoutingCore } from "../../../exchange/index.ts"
import type { Connection } from "../../../transport/Connection.ts"
import type { Endpoint } from "../../../transport/Endpoint.ts"
import type { ListenFailed } from "../../../transport/errors.ts"
import { listen, type ListenOptions } from "../../../transport/listen.ts"
import { ServerConnection, type ServerContext } from "./ServerConnection.ts"
import type { Session } from "./Session.ts"
import { defaultServerSettings, type ServerSettings } from "./settings.ts"

export interface BusrtServerOptions extends ListenOptions {
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly settings?: Partial<ServerSettings> | undefined
}

/** A BUS/RT server that listens. */
export class BusrtServer extends Context.Service<
  BusrtServer,
  {
    /** Where it listens, with the ports that it has, in the order in which they were asked for. */
    readonly endpoints: ReadonlyArray<Endpoint>
  }
>()("millrace/protocol/busrt/BusrtServer") {}

/** In how many looks at a session a timeout is divided; it is given up after five without a word. */
const looksPerTimeout = 4
const looksMax = 5

/**
 * Looks at all sessions from time to time. Looks are counted, not time: while the event loop is held up nobody is heard,
 * and nobody is given up.
 */
const keepAlive = (sessions: ReadonlySet<Session>, timeoutMillis: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let looks = 0
      return setInterval(() => {
        const isNopDue = ++looks % (looksPerTimeout / 2) === 0
        for (const session of sessions) session.look(looksMax, isNopDue)
      }, timeoutMillis / looksPerTimeout)
    }),
    (timer) => Effect.sync(() => clearInterval(timer)),
  ).pipe(Effect.asVoid)

const serve = (context: ServerContext) => (connection: Connection) =>
  Effect.callback<void>((resume) => {
    connection.attach(new ServerConnection(context, connection, () => resume(Effect.void)))
  })

/** Ends the connections of a principal whose rules have changed. Clients in this process have none. */
const revoke = (core: RoutingCore, principal: string): void => {
  const member = core.find(principal)
  if (member === undefined || member.kind === "internal") return
  core.leave(member, "revoked")
  core.flush()
}

export const layer = (options: BusrtServerOptions): Layer.Layer<BusrtServer, ListenFailed, Router | Access> =>
  Layer.effect(
    BusrtServer,
    Effect.gen(function* () {
      const core = yield* Router
      const access = yield* Access
      const settings = { ...defaultServerSettings, ...options.settings }
      const context: ServerContext = { core, access, settings, sessions: new Set() }
      yield* keepAlive(context.sessions, settings.timeoutMillis)
      yield* access.onRevoked((principal) => revoke(core, principal))
      const endpoints: Array<Endpoint> = []
      for (const endpoint of options.endpoints) {
        const listener = yield* listen(endpoint, options)
        endpoints.push(listener.endpoint)
        yield* Effect.forkScoped(listener.run(serve(context)))
      }
      // Before the listeners close their connections, which do not know what waits for them here.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const session of context.sessions) session.end()
        }),
      )
      return BusrtServer.of({ endpoints })
    }),
  )
