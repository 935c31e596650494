/**
 * What the topics count of themselves. Updated per commit or per page, never per message.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"

const published = Metric.counter("millrace_messages_stored_total", {
  description: "Messages stored: published here or replicated",
  incremental: true,
})
const commits = Metric.counter("millrace_commits_total", { description: "Commits made", incremental: true })
const commitFailures = Metric.counter("millrace_commit_failures_total", {
  description: "Commits that failed or whose outcome is unknown",
  incremental: true,
})
const commitSize = Metric.histogram("millrace_commit_messages", {
  description: "Messages in a commit",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000],
})
const commitTime = Metric.histogram("millrace_commit_seconds", {
  description: "Time from the store's getting a batch to its being durable",
  boundaries: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
})
const subscriptions = Metric.gauge("millrace_subscriptions", { description: "Subscriptions open now" })
const jumps = Metric.counter("millrace_feed_jumps_total", {
  description: "Times that a subscription fell behind the live feed and went back to storage",
  incremental: true,
})

type Services = Context.Context<never>

export const committed = (services: Services, messages: number, seconds: number): void => {
  published.updateUnsafe(messages, services)
  commits.updateUnsafe(1, services)
  commitSize.updateUnsafe(messages, services)
  commitTime.updateUnsafe(seconds, services)
}

export const commitFailed = (services: Services): void => commitFailures.updateUnsafe(1, services)

export const subscribers = (services: Services, change: number): void => subscriptions.modifyUnsafe(change, services)

export const jumped = (services: Services): void => jumps.updateUnsafe(1, services)
