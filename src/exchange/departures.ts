/**
 * Who has left is announced, so that whoever waits for an answer waits no longer.
 *
 * When a client leaves, a primary or a secondary, the exchange publishes its name, in the name of `.broker`, on
 * `.broker/gone/NAME`. A client's announcement comes after all that it has sent. Whoever may send to a client may
 * subscribe to its topic. A name that cannot stand for itself at the end of a topic, for its length or its wildcards, is
 * announced on `.broker/gone` itself.
 */
import type { Permissions } from "../access/Permissions.ts"
import * as ClientName from "../domain/ClientName.ts"
import * as LiveTopic from "../domain/LiveTopic.ts"
import type { RoutingCore, Watcher } from "./RoutingCore.ts"

/** Where clients are announced whose names are no topics. */
export const departuresTopic = ".broker/gone"

/** Where the broker warns that it shuts down. Everybody may hear of it. */
export const warnTopic = ".broker/warn"

const prefix = `${departuresTopic}/`

/** Where it is announced that the client has left. */
export const departureTopic = (name: string): string => {
  const topic = `${prefix}${name}`
  return LiveTopic.filterProblem(topic) === undefined && !LiveTopic.hasWildcard(topic) ? topic : departuresTopic
}

/** The client whose departure is announced on the topic; undefined where that is not one. */
export const departureOf = (topic: string): string | undefined =>
  topic.startsWith(prefix) ? topic.slice(prefix.length) : undefined

const encoder = new TextEncoder()

/** Whether a client may subscribe to what has this filter. */
export const maySubscribe = (grants: Permissions, filter: string): boolean => {
  if (filter === warnTopic || grants.allows("subscribe", filter)) return true
  const name = departureOf(filter)
  return name !== undefined && !LiveTopic.hasWildcard(filter) && grants.allows("send", name)
}

/** Announces who leaves, before anybody can send to who takes its name. */
export const announcer = (core: RoutingCore): Watcher => ({
  joined: () => {},
  left: ({ name }) => {
    const topic = departureTopic(name)
    if (!core.hasSubscribers(topic)) return
    core.deliver(ClientName.broker, topic, encoder.encode(name), false, false)
    core.flushSoon()
  },
})
