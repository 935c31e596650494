/**
 * What can be tuned of the topics of a node. Sizes in bytes.
 */
import * as Context from "effect/Context"

export interface TopicsSettings {
  /** The largest message: payload, topic and headers together. By default 3.5 MiB, so that every msgbus.v1 peer can take it. */
  readonly messageBytesMax: number
  /** How much one commit takes at most: messages, and bytes of content. A larger `publishAll` is one commit all the same. */
  readonly commitMessagesMax: number
  readonly commitBytesMax: number
  /** Commits that may be on their way to the store at the same time, where commits are quick. */
  readonly commitsInFlightMax: number
  /** Batches that a feed holds for a subscriber which is not reading. */
  readonly feedBatchesMax: number
  /** What all feeds together hold for subscribers that are behind; the oldest is let go first, and read from storage again. */
  readonly feedBytesMax: number
  /** A page of replay: messages, and bytes. A subscription holds two pages at most. */
  readonly pageMessagesMax: number
  readonly pageBytesMax: number
  /** Milliseconds between two commits of named cursors, apart from those that somebody waits for. */
  readonly cursorPauseMillis: number
}

export const defaultTopicsSettings: TopicsSettings = {
  messageBytesMax: 3.5 * 1024 * 1024,
  commitMessagesMax: 4096,
  commitBytesMax: 8 * 1024 * 1024,
  commitsInFlightMax: 2,
  feedBatchesMax: 1024,
  feedBytesMax: 24 * 1024 * 1024,
  pageMessagesMax: 1000,
  pageBytesMax: 1024 * 1024,
  cursorPauseMillis: 20,
}

/** Provide it to the topics' layer to change the defaults. */
export const TopicsSettings: Context.Reference<TopicsSettings> = Context.Reference<TopicsSettings>(
  "millrace/topics/TopicsSettings",
  { defaultValue: () => defaultTopicsSettings },
)
