/**
 * The subscriptions that are open, and their lag as metrics: one series for each filter, its slowest subscription, and
 * one for all filters beyond a number of them, so that no number of clients makes a number of series.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as gauges from "../../domain/gauges.ts"
import type { Subscriber } from "../Subscribers.ts"

/** Filters that have a series of their own. */
const filtersMax = 50

/** Stands for the filters beyond those. */
const others = "(others)"

const open = Metric.gauge("millrace_subscriptions", { description: "Subscriptions open now" })
const lag = Metric.gauge("millrace_subscription_lag_messages", {
  description: "Messages of the journal that the slowest subscription of a filter has still to go through",
})

/** A subscription, as it is asked how it is. */
export type Follower = () => Subscriber

interface Series {
  readonly followers: Set<Follower>
  readonly registration: Metric.Registration
}

export class SubscriberList {
  readonly #services: Context.Context<never>
  readonly #series = new Map<string, Series>()
  #size = 0

  constructor(services: Context.Context<never>) {
    this.#services = services
    open.updateUnsafe(0, services)
  }

  /** Adds a subscription; gives what takes it out. */
  add(filter: string, follower: Follower): () => void {
    const label = this.#series.has(filter) || this.#series.size < filtersMax ? filter : others
    const series = this.#series.get(label) ?? this.#begin(label)
    series.followers.add(follower)
    this.#size += 1
    open.updateUnsafe(this.#size, this.#services)
    return () => {
      if (!series.followers.delete(follower)) return
      this.#size -= 1
      open.updateUnsafe(this.#size, this.#services)
      if (series.followers.size > 0) return
      series.registration.remove()
      this.#series.delete(label)
    }
  }

  list(): ReadonlyArray<Subscriber> {
    const all: Array<Subscriber> = []
    for (const { followers } of this.#series.values()) for (const follower of followers) all.push(follower())
    return all.toSorted((a, b) => b.lag - a.lag)
  }

  #begin(label: string): Series {
    const followers = new Set<Follower>()
    const registration = gauges.register(Metric.withAttributes(lag, { filter: label }), this.#services, () => {
      let most = 0
      for (const follower of followers) most = Math.max(most, follower().lag)
      return most
    })
    const series = { followers, registration }
    this.#series.set(label, series)
    return series
  }
}
