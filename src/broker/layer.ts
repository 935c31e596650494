/**
 * The reserved client `.broker`, which answers for the exchange of this process to any client of BUS/RT, and announces
 * who comes and goes.
 *
 * Closing its scope announces the shutdown. So build it after what serves clients, that they may still hear of it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ClientName from "../domain/ClientName.ts"
import { type ConnectError, connectWith, Router } from "../exchange/index.ts"
import * as Rpc from "../rpc/index.ts"
import { warnOfShutdown, watcher } from "./announcements.ts"
import { type BrokerInfo, handlers } from "./methods.ts"

/** Fails with `NameTaken` where there is a broker already. */
export const layer = (info: BrokerInfo): Layer.Layer<never, ConnectError, Router> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const core = yield* Router
      const clock = yield* Clock.clockWith(Effect.succeed)
      const client = yield* connectWith(core, ClientName.broker, true)
      yield* Rpc.make(client, { handlers: handlers(core, info, clock.monotonicTimeNanosUnsafe()) })
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const watching = watcher(core, clock)
          for (const member of core.members) watching.joined(member)
          return core.watch(watching)
        }),
        (stop) =>
          Effect.sync(() => {
            warnOfShutdown(core, clock)
            stop()
          }),
      )
    }),
  )
