/**
 * A client of the exchange that is in the same process: each operation is a call of the routing core.
 */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import type { InvalidArgument } from "../../domain/errors.ts"
import * as LiveTopic from "../../domain/LiveTopic.ts"
import type { Disconnected } from "../../domain/liveErrors.ts"
import * as NameMask from "../../domain/NameMask.ts"
import { toBytes } from "../../domain/utf8.ts"
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
import type { Outcome, RoutingCore } from "../RoutingCore.ts"
import type { StoreFailure } from "../StoreFirst.ts"
import type { Inbox } from "./Inbox.ts"

const checked = (argument: string, problem: string | undefined): InvalidArgument | undefined =>
  problem === undefined ? undefined : invalid(argument, problem)

/** Several publications that are settled one by one: done when all are, or the first has failed. */
class Settlement {
  readonly #principal: string
  readonly #topic: string
  #pending = 0
  #failed: PublishLiveError | undefined
  #resume: ((result: Effect.Effect<void, PublishLiveError>) => void) | undefined

  constructor(principal: string, topic: string) {
    this.#principal = principal
    this.#topic = topic
  }

  get failed(): PublishLiveError | undefined {
    return this.#failed
  }

  begin(): void {
    this.#pending++
  }

  readonly settle = (outcome: Outcome, failure?: StoreFailure): void => {
    if (outcome !== "ok") this.#failed ??= failure ?? denied(this.#principal, "publish", this.#topic)
    if (--this.#pending === 0) this.#resume?.(this.#result())
  }

  readonly settled: Effect.Effect<void, PublishLiveError> = Effect.suspend(() =>
    this.#pending === 0
      ? this.#result()
      : Effect.callback<void, PublishLiveError>((resume) => {
          this.#resume = resume
        }),
  )

  #result(): Effect.Effect<void, PublishLiveError> {
    return this.#failed === undefined ? Effect.void : Effect.fail(this.#failed)
  }
}

/** @param gate closed while the client is held: then publishing waits */
export const makeLocalClient = (core: RoutingCore, member: Member, inbox: Inbox, gate: Latch.Latch): ExchangeClient => {
  const { name } = member
  const principal = member.primaryName

  /** Does one thing after the other, as long as the client is connected, at the pace of who gets it. */
  const each = <A, E>(
    problem: InvalidArgument | undefined,
    items: ReadonlyArray<A>,
    run: (item: A) => E | undefined,
  ): Effect.Effect<void, E | InvalidArgument | Disconnected> => {
    const from = (start: number): Effect.Effect<void, E | InvalidArgument | Disconnected> =>
      Effect.suspend((): Effect.Effect<void, E | InvalidArgument | Disconnected> => {
        const wrong = inbox.disconnected ?? problem
        if (wrong !== undefined) return Effect.fail(wrong)
        core.flushSoon()
        for (let at = start; at < items.length; at++) {
          if (member.isHeld) return Effect.andThen(gate.await, from(at))
          const failed = (at > start ? inbox.disconnected : undefined) ?? run(items[at]!)
          if (failed !== undefined) return Effect.fail(failed)
          if (core.isCrowded) return Effect.andThen(afterCrowded, from(at + 1))
        }
        return Effect.void
      })
    return from(0)
  }

  const afterCrowded = Effect.callback<void>((resume) => core.waitForCrowded(() => resume(Effect.void)))

  const sendAll: ExchangeClient["sendAll"] = (target, payloads, { isProcessed = true, isRealtime = false } = {}) =>
    each(undefined, payloads, (payload): SendError | undefined => {
      const outcome = core.send(member, target, toBytes(payload), false, isRealtime)
      if (outcome === "ok" || !isProcessed) return undefined
      if (outcome === "denied") return denied(principal, "send", target)
      return outcome === "notRegistered" ? unregistered(target) : full(target)
    })

  const publishAll = (
    topic: string,
    payloads: ReadonlyArray<Uint8Array | string>,
    { receiver, isProcessed = true, isRealtime = false }: PublishLiveOptions = {},
  ): Effect.Effect<void, PublishLiveError> =>
    Effect.suspend(() => {
      const settlement = new Settlement(principal, topic)
      const published = each(checked("topic", LiveTopic.problem(topic)), payloads, (payload) => {
        const bytes = toBytes(payload)
        settlement.begin()
        const outcome =
          receiver === undefined
            ? core.publish(member, topic, bytes, false, isRealtime, settlement.settle)
            : core.publishFor(member, topic, receiver, bytes, false, isRealtime)
        if (outcome !== undefined) settlement.settle(outcome)
        return isProcessed ? settlement.failed : undefined
      })
      return isProcessed ? Effect.andThen(published, settlement.settled) : published
    })

  const eachFilter = (
    filters: ReadonlyArray<string>,
    apply: (filter: string) => Outcome | void,
  ): Effect.Effect<void, SubscribeLiveError> => {
    const problem = filters.map(LiveTopic.filterProblem).find((one) => one !== undefined)
    return each(checked("filter", problem), filters, (filter): SubscribeLiveError | undefined => {
      const outcome = apply(filter)
      if (outcome === "denied") return denied(principal, "subscribe", filter)
      return outcome === "tooMany" ? invalid("filter", `${name} has too many subscriptions`) : undefined
    })
  }

  return {
    name,
    inbox: inbox.stream,
    onLost: () => () => {},
    send: (target, payload, options) => sendAll(target, [payload], options),
    sendAll,
    broadcast: (mask, payload, { isProcessed = true, isRealtime = false }: SendOptions = {}) =>
      each(checked("mask", NameMask.problem(mask)), [payload], (one) => {
        const outcome = core.broadcast(member, mask, toBytes(one), false, isRealtime)
        return outcome === "denied" && isProcessed ? denied(principal, "broadcast", mask) : undefined
      }),
    publish: (topic, payload, options) => publishAll(topic, [payload], options),
    publishAll,
    subscribe: (...filters) => eachFilter(filters, (filter) => core.subscribe(member, filter)),
    unsubscribe: (...filters) => eachFilter(filters, (filter) => core.unsubscribe(member, filter)),
    exclude: (...filters) => eachFilter(filters, (filter) => core.exclude(member, filter)),
    include: (...filters) => eachFilter(filters, (filter) => core.include(member, filter)),
  }
}
