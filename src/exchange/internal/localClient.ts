/**
 * A client of the exchange that is in the same process: each operation is a call of the routing core.
 */
import * as Effect from "effect/Effect"
import type { InvalidArgument } from "../../domain/errors.ts"
import * as LiveTopic from "../../domain/LiveTopic.ts"
import type { Disconnected } from "../../domain/liveErrors.ts"
import * as NameMask from "../../domain/NameMask.ts"
import type {
  ExchangeClient,
  PublishLiveError,
  PublishLiveOptions,
  SendError,
  SendOptions,
  SubscribeLiveError,
} from "../Exchange.ts"
import type { Member } from "../Member.ts"
import { denied, full, invalid, unregistered } from "../outcomes.ts"
import type { Outcome, RoutingCore, StoreFailure } from "../RoutingCore.ts"
import type { Inbox } from "./Inbox.ts"

const encoder = new TextEncoder()
const bytesOf = (payload: Uint8Array | string): Uint8Array =>
  typeof payload === "string" ? encoder.encode(payload) : payload

export const makeLocalClient = (core: RoutingCore, member: Member, inbox: Inbox): ExchangeClient => {
  const { name } = member
  const principal = member.primaryName

  /** Runs while the client is connected, and hands on to the recipients what it did. */
  const whileConnected = <E>(
    problem: InvalidArgument | undefined,
    run: () => Effect.Effect<void, E>,
  ): Effect.Effect<void, E | InvalidArgument | Disconnected> =>
    Effect.suspend((): Effect.Effect<void, E | InvalidArgument | Disconnected> => {
      const gone = inbox.disconnected
      if (gone !== undefined) return Effect.fail(gone)
      if (problem !== undefined) return Effect.fail(problem)
      const done = run()
      core.flushSoon()
      return done
    })

  const checked = (argument: string, problem: string | undefined): InvalidArgument | undefined =>
    problem === undefined ? undefined : invalid(argument, problem)

  const sendAll: ExchangeClient["sendAll"] = (target, payloads, options = {}) =>
    whileConnected<SendError>(undefined, () => {
      for (const payload of payloads) {
        const outcome = core.send(member, target, bytesOf(payload), false, options.isRealtime === true)
        if (outcome === "ok" || options.isProcessed === false) continue
        if (outcome === "denied") return Effect.fail(denied(principal, "send", target))
        return Effect.fail(outcome === "notRegistered" ? unregistered(target) : full(target))
      }
      return Effect.void
    })

  const published = (
    topic: string,
    outcome: Outcome,
    failure: StoreFailure | undefined,
  ): PublishLiveError | undefined => {
    if (outcome === "ok") return undefined
    return failure ?? denied(principal, "publish", topic)
  }

  const publishAll = (
    topic: string,
    payloads: ReadonlyArray<Uint8Array | string>,
    { receiver, isProcessed, isRealtime = false }: PublishLiveOptions = {},
  ): Effect.Effect<void, PublishLiveError> =>
    whileConnected(checked("topic", LiveTopic.problem(topic)), () => {
      if (receiver !== undefined) {
        for (const payload of payloads) {
          const outcome = core.publishFor(member, topic, receiver, bytesOf(payload), false, isRealtime)
          const failed = published(topic, outcome, undefined)
          if (failed !== undefined && isProcessed !== false) return Effect.fail(failed)
        }
        return Effect.void
      }
      let pending = 0
      let failed: PublishLiveError | undefined
      let settled: (() => void) | undefined
      for (const payload of payloads) {
        pending++
        const settle = (outcome: Outcome, failure?: StoreFailure): void => {
          failed ??= published(topic, outcome, failure)
          if (--pending === 0) settled?.()
        }
        const outcome = core.publish(member, topic, bytesOf(payload), false, isRealtime, settle)
        if (outcome !== undefined) settle(outcome)
        if (failed !== undefined) break
      }
      const result = (): Effect.Effect<void, PublishLiveError> =>
        failed === undefined ? Effect.void : Effect.fail(failed)
      if (isProcessed === false) return Effect.void
      if (pending === 0) return result()
      return Effect.callback<void, PublishLiveError>((resume) => {
        settled = () => resume(result())
        if (pending === 0) settled()
      })
    })

  const eachFilter = (
    filters: ReadonlyArray<string>,
    verb: string,
    apply: (filter: string) => Outcome | void,
  ): Effect.Effect<void, SubscribeLiveError> => {
    const problem = filters.map(LiveTopic.filterProblem).find((one) => one !== undefined)
    return whileConnected<SubscribeLiveError>(checked("filter", problem), () => {
      for (const filter of filters) {
        const outcome = apply(filter)
        if (outcome === "denied") return Effect.fail(denied(principal, verb, filter))
        if (outcome === "tooMany") return Effect.fail(invalid("filter", `${name} has too many subscriptions`))
      }
      return Effect.void
    })
  }

  return {
    name,
    inbox: inbox.stream,
    send: (target, payload, options) => sendAll(target, [payload], options),
    sendAll,
    broadcast: (mask, payload, { isProcessed, isRealtime = false }: SendOptions = {}) =>
      whileConnected(checked("mask", NameMask.problem(mask)), () => {
        const outcome = core.broadcast(member, mask, bytesOf(payload), false, isRealtime)
        return outcome === "denied" && isProcessed !== false
          ? Effect.fail(denied(principal, "broadcast", mask))
          : Effect.void
      }),
    publish: (topic, payload, options) => publishAll(topic, [payload], options),
    publishAll,
    subscribe: (...filters) => eachFilter(filters, "subscribe", (filter) => core.subscribe(member, filter)),
    unsubscribe: (...filters) => eachFilter(filters, "subscribe", (filter) => core.unsubscribe(member, filter)),
    exclude: (...filters) => eachFilter(filters, "subscribe", (filter) => core.exclude(member, filter)),
    include: (...filters) => eachFilter(filters, "subscribe", (filter) => core.include(member, filter)),
  }
}
