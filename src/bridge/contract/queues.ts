/** What `.bus` does with queues: each method is the operation of `Queues` of that name. */
import * as Schema from "effect/Schema"
import { content, headers, maybe, method, node, nothing, whole } from "./Method.ts"

const writing = ["StorageFailed", "StorageFull", "OutcomeUnknown"] as const

/** An item as it was added, without what its owner knows. */
export const Added = Schema.Struct({
  queue: Schema.String,
  id: Schema.String,
  sequence: whole,
  attempts: whole,
  topic: Schema.String,
  source: node,
  target: maybe(node),
  createdAt: whole,
})
export type AddedFields = typeof Added.Type

/** An item as it is read. */
export const Item = Schema.Struct({
  ...Added.fields,
  headers: maybe(headers),
  payload: Schema.Uint8Array,
  death: maybe(Schema.Struct({ sequence: whole, attempts: whole, reason: maybe(Schema.String), at: whole })),
})
export type ItemFields = typeof Item.Type

export const QueueState = Schema.Struct({
  queue: Schema.String,
  depth: whole,
  lastSequence: whole,
  oldestAt: maybe(whole),
})

export const enqueue = method({
  name: "enqueue",
  about: "Adds an item at the end of a queue, and answers when it is durable.",
  params: Schema.Struct({
    queue: Schema.String,
    payload: content,
    topic: maybe(Schema.String),
    target: maybe(node),
    headers: maybe(headers),
  }),
  result: Added,
  errors: ["NotPermitted", "MessageTooLarge", ...writing],
})

export const peek = method({
  name: "peek",
  about: "The front of a queue, which stays there; none where it is empty.",
  params: Schema.Struct({ queue: Schema.String }),
  result: Schema.Struct({ item: maybe(Item) }),
  errors: ["StorageFailed"],
})

export const items = method({
  name: "items",
  about: "Items of a queue in their order, after a sequence (by default 0), which stay where they are.",
  params: Schema.Struct({ queue: Schema.String, after: maybe(whole), limit: maybe(whole) }),
  result: Schema.Struct({ items: Schema.Array(Item) }),
  errors: ["StorageFailed"],
})

export const ack = method({
  name: "ack",
  about: "Removes the front, if it has this id; answers whether it had.",
  params: Schema.Struct({ queue: Schema.String, id: Schema.String }),
  result: Schema.Struct({ accepted: Schema.Boolean }),
  errors: writing,
})

export const reject = method({
  name: "reject",
  about:
    "Counts a failed attempt at the front, if it has this id. With `attemptsMax` of them it goes to the dead queue.",
  params: Schema.Struct({
    queue: Schema.String,
    id: Schema.String,
    attemptsMax: maybe(whole),
    reason: maybe(Schema.String),
  }),
  result: Schema.Struct({ accepted: Schema.Boolean, attempts: whole, isDead: Schema.Boolean }),
  errors: writing,
})

export const redrive = method({
  name: "redrive",
  about: "Moves items from the front of the dead queue back to the end of the queue, by default all; answers how many.",
  params: Schema.Struct({ queue: Schema.String, itemsMax: maybe(whole) }),
  result: Schema.Struct({ moved: whole }),
  errors: writing,
})

export const take = method({
  name: "take",
  about: "Becomes the one taker of a queue, until `take.end` or the connection ends. Answers its id.",
  params: Schema.Struct({ queue: Schema.String, attemptsMax: maybe(whole) }),
  result: Schema.Struct({ id: whole }),
  errors: ["QueueTaken", ...writing],
})

/** What became of the item that was given last. */
export const Outcome = Schema.Struct({
  /** Its sequence. */
  sequence: whole,
  /** Why it failed; absent where it succeeded. */
  reason: maybe(Schema.String),
  failed: Schema.Boolean,
  /** How long to wait before it is given again, in milliseconds. */
  backoff: maybe(whole),
})

export const takeNext = method({
  name: "take.next",
  about:
    "Says what became of the last item, and gets the next: waits for one, but no longer than `wait` milliseconds. Until something is said of an item, it is given again.",
  params: Schema.Struct({ id: whole, outcome: maybe(Outcome), wait: maybe(whole) }),
  result: Schema.Struct({ item: maybe(Item) }),
  errors: ["SessionUnknown", "QueueTaken", ...writing],
})

export const takeEnd = method({
  name: "take.end",
  about: "Says what became of the last item, if it was done, and gives the queue back. Answers when that is durable.",
  params: Schema.Struct({ id: whole, outcome: maybe(Outcome) }),
  result: nothing,
  errors: ["QueueTaken", ...writing],
})

export const list = method({
  name: "queues",
  about: "All queues that the caller may use and that anything was ever enqueued to.",
  params: nothing,
  result: Schema.Struct({ queues: Schema.Array(QueueState) }),
  errors: ["StorageFailed"],
})

export const methods = [enqueue, peek, items, ack, reject, redrive, take, takeNext, takeEnd, list]
