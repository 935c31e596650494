/**
 * The exchange in this process, over its routing core.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Permissions } from "../access/Permissions.ts"
import {
  type ClientInfo,
  type ConnectError,
  type ConnectOptions,
  Exchange,
  type ExchangeClient,
  inboxBytesMaxDefault,
  inboxFramesMaxDefault,
} from "./Exchange.ts"
import { Inbox } from "./internal/Inbox.ts"
import { makeLocalClient } from "./internal/localClient.ts"
import type { Member } from "./Member.ts"
import { refused } from "./outcomes.ts"
import { isRefusal } from "./registration.ts"
import { Router } from "./Router.ts"
import type { RoutingCore } from "./RoutingCore.ts"

const infoOf = (member: Member): ClientInfo => ({
  name: member.name,
  kind: member.kind,
  source: member.source,
  port: member.port,
  framesIn: member.framesIn,
  bytesIn: member.bytesIn,
  framesOut: member.framesOut,
  bytesOut: member.bytesOut,
  dropped: member.dropped,
  queued: member.outlet.queued(),
  instances: 1 + member.secondaries.size,
})

/** What a core knows of its primary clients, by name. */
export const clientsOf = (core: RoutingCore): ReadonlyArray<ClientInfo> =>
  [...core.members]
    .filter((member) => !member.isSecondary)
    .map(infoOf)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))

export interface ConnectWithOptions extends ConnectOptions {
  /** What the client may do; by default everything. */
  readonly grants?: Permissions | undefined
}

/** Connects a client of the bus itself, whose name may begin with a dot, or an ordinary one. */
export const connectWith = (
  core: RoutingCore,
  name: string,
  isOwn: boolean,
  options: ConnectWithOptions = {},
): Effect.Effect<ExchangeClient, ConnectError, Scope.Scope> =>
  Effect.gen(function* () {
    const inbox = new Inbox(
      name,
      options.inboxFramesMax ?? inboxFramesMaxDefault,
      options.inboxBytesMax ?? inboxBytesMaxDefault,
    )
    const gate = Latch.makeUnsafe(true)
    const onHeldChange = (isHeld: boolean): void => void (isHeld ? gate.closeUnsafe() : gate.openUnsafe())
    const member = yield* Effect.acquireRelease(
      Effect.suspend(() => {
        const { grants, overflow } = options
        const registered = core.register(name, {
          outlet: inbox,
          kind: "internal",
          grants,
          overflow,
          isOwn,
          onHeldChange,
        })
        return isRefusal(registered) ? Effect.fail(refused(name, registered)) : Effect.succeed(registered)
      }),
      (member) => Effect.sync(() => core.leave(member, "left")),
    )
    return makeLocalClient(core, member, inbox, gate)
  })

/** The exchange in this process. Clients in this process may do everything: they are the app itself. */
export const layer: Layer.Layer<Exchange, never, Router> = Layer.effect(
  Exchange,
  Effect.map(Router, (core) =>
    Exchange.of({
      connect: (name, options) => connectWith(core, name, false, options),
      clients: Effect.sync(() => clientsOf(core)),
    }),
  ),
)
