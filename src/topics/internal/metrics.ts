/**
 * What the topics count of themselves. Updated per commit or per page, never per message; what can be read where it is
 * kept is read when somebody asks.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as gauges from "../../domain/gauges.ts"
import { contentBytes, type Message } from "../../domain/Message.ts"
import type { AppendEntry } from "./entries.ts"

const stored = Metric.counter("millrace_messages_stored_total", {
  description: "Messages stored: published here or replicated",
  incremental: true,
})
const storedBytes = Metric.counter("millrace_message_bytes_stored_total", {
  description: "Content of the messages stored: payloads, topics and headers",
  incremental: true,
})
const publishFailures = Metric.counter("millrace_publish_failures_total", {
  description: "Publishes that failed, by the error that their callers got",
  incremental: true,
})
const commits = Metric.counter("millrace_commits_total", { description: "Commits of messages", incremental: true })
const commitFailures = Metric.counter("millrace_commit_failures_total", {
  description: "Commits of messages that failed or whose outcome is unknown",
  incremental: true,
})
const commitSize = Metric.histogram("millrace_commit_messages", {
  description: "Messages in a commit",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000],
})
const commitTime = Metric.histogram("millrace_commit_seconds", {
  description: "Time from the store's getting a batch of messages to its being durable",
  boundaries: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
})
const waiting = Metric.gauge("millrace_writes_waiting", {
  description: "Publishes and other writes that wait for their commit to begin",
})
const jumps = Metric.counter("millrace_feed_jumps_total", {
  description: "Times that a subscription fell behind the live feed and went back to storage",
  incremental: true,
})
const heldBytes = Metric.gauge("millrace_feed_held_bytes", {
  description: "What the live feeds hold for subscriptions that have still to read it",
})

const feedLag = Metric.gauge("millrace_feed_lag_messages", {
  description: "Messages of the journal, written by any node, that the live feed has still to go through",
})

/** The errors that a publish fails with. */
const publishErrors = [
  "InvalidArgument",
  "NotPermitted",
  "MessageTooLarge",
  "KeyConflict",
  "StorageFailed",
  "StorageFull",
  "OutcomeUnknown",
] as const
const failuresOf = new Map<string, typeof publishFailures>(
  publishErrors.map((reason) => [reason, Metric.withAttributes(publishFailures, { reason })]),
)

type Services = Context.Context<never>

/** Makes every metric known, also those that nothing has happened to yet. */
export const begin = (services: Services): void => {
  for (const metric of [stored, storedBytes, commits, commitFailures, jumps, ...failuresOf.values()]) {
    metric.updateUnsafe(0, services)
  }
  for (const metric of [commitSize, commitTime]) metric.valueUnsafe(services)
}

export const watchWaiting = (services: Services, read: () => number) => gauges.watch(waiting, services, read)
export const watchHeldBytes = (services: Services, read: () => number) => gauges.watch(heldBytes, services, read)

export const watchFeedLag = (services: Services, read: () => number) => gauges.watch(feedLag, services, read)

/** A commit is made: of what was asked for, these messages were stored; others had been before, or were refused. */
export const committed = (
  services: Services,
  entries: ReadonlyArray<AppendEntry>,
  messages: ReadonlyArray<Message>,
  seconds: number,
): void => {
  stored.updateUnsafe(messages.length, services)
  storedBytes.updateUnsafe(bytesOf(entries, messages), services)
  commits.updateUnsafe(1, services)
  commitSize.updateUnsafe(messages.length, services)
  commitTime.updateUnsafe(seconds, services)
}

const bytesOf = (entries: ReadonlyArray<AppendEntry>, messages: ReadonlyArray<Message>): number => {
  let asked = 0
  let bytes = 0
  for (const entry of entries) {
    asked += entry.count
    bytes += entry.bytes
  }
  if (asked === messages.length) return bytes
  return messages.reduce((sum, { headers, payload, topic }) => sum + contentBytes(topic, payload, headers), 0)
}

export const commitFailed = (services: Services): void => commitFailures.updateUnsafe(1, services)

export const publishesFailed = (services: Services, reason: string, count: number): void => {
  if (count > 0) failuresOf.get(reason)?.updateUnsafe(count, services)
}

export const jumped = (services: Services): void => jumps.updateUnsafe(1, services)
