/**
 * What the broker tells without being asked, in MessagePack: who has come and gone, on `.broker/info`, and that it shuts
 * down, on `.broker/warn`, to which every client is subscribed from its registration on. Secondary clients are not
 * announced there. (That a client has left is also announced on a topic of its own: `exchange/departures.ts`.)
 */
import type * as Clock from "effect/Clock"
import * as ClientName from "../domain/ClientName.ts"
import { type Member, type RoutingCore, warnTopic, type Watcher } from "../exchange/index.ts"
import { MessagePack } from "../rpc/index.ts"

export const infoTopic = ".broker/info"

const announce = (core: RoutingCore, clock: Clock.Clock, topic: string, what: Record<string, unknown>): void => {
  if (!core.hasSubscribers(topic)) return
  const payload = MessagePack.encode({ ...what, t: clock.currentTimeNanosUnsafe() })
  core.deliver(ClientName.broker, topic, payload, false, false)
  core.flushSoon()
}

/** Announces who comes and goes, and subscribes who comes to warnings. */
export const watcher = (core: RoutingCore, clock: Clock.Clock): Watcher => {
  const tell = (s: "reg" | "unreg", { name, isSecondary }: Member): void => {
    if (!isSecondary) announce(core, clock, infoTopic, { s, d: name })
  }
  return {
    joined: (member) => {
      core.subscribe(member, warnTopic)
      tell("reg", member)
    },
    left: (member) => tell("unreg", member),
  }
}

/** Warns everybody who has not said that they do not want to be, at once. */
export const warnOfShutdown = (core: RoutingCore, clock: Clock.Clock): void => {
  announce(core, clock, warnTopic, { s: "shutdown" })
  core.flush()
}
