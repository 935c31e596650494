/** What nodes are made of: the project's own parts, or some of them with a bug. */
import * as Replication from "../../src/replication/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Topics from "../../src/topics/index.ts"

export interface Parts {
  readonly memory: typeof Memory.layer
  readonly topics: typeof Topics.layer
  readonly replication: typeof Replication.Replication.layer
}

/** So little room that a subscriber falls behind, and replays page by page, also where there are few messages. */
export const tight: Topics.TopicsSettings = {
  ...Topics.defaultTopicsSettings,
  feedBatchesMax: 4,
  feedBytesMax: 3000,
  pageMessagesMax: 3,
}

export const parts: Parts = {
  memory: Memory.layer,
  topics: Topics.layer,
  replication: Replication.Replication.layer,
}
