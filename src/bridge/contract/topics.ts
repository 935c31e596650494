/** What `.bus` does with topics: each method is the operation of `Topics` of that name. */
import * as Schema from "effect/Schema"
import { content, headers, maybe, method, node, nothing, Place, whole } from "./Method.ts"

const storing = ["StorageFailed", "StorageFull", "OutcomeUnknown"] as const
const publishing = ["NotPermitted", "MessageTooLarge", "KeyConflict", ...storing] as const

/** A message to publish. */
export const Draft = Schema.Struct({
  topic: Schema.String,
  payload: content,
  headers: maybe(headers),
  key: maybe(Schema.String),
})

/** A message as it was stored, without what its publisher knows. */
export const Stored = Schema.Struct({
  topic: Schema.String,
  origin: node,
  offset: whole,
  position: whole,
  id: Schema.String,
  createdAt: whole,
  deleted: maybe(Schema.Boolean),
})

/** A message as it is read. */
export const Message = Schema.Struct({ ...Stored.fields, headers: maybe(headers), payload: Schema.Uint8Array })
export type MessageFields = typeof Message.Type

export const publish = method({
  name: "publish",
  about: "Stores a message, and answers when it is durable. With a key it can be repeated safely.",
  params: Draft,
  result: Stored,
  errors: publishing,
})

export const batch = method({
  name: "batch",
  about: "Stores messages in one commit: all or none of them. They may be of several topics.",
  params: Schema.Struct({ messages: Schema.Array(Draft) }),
  result: Schema.Struct({ messages: Schema.Array(Stored) }),
  errors: publishing,
})

export const fetch = method({
  name: "fetch",
  about: "One page of a log, from an offset on (by default 1): 100 messages if nothing else is said, at most 10,000.",
  params: Schema.Struct({ topic: Schema.String, origin: maybe(node), from: maybe(whole), limit: maybe(whole) }),
  result: Schema.Struct({ messages: Schema.Array(Message) }),
  errors: ["StorageFailed"],
})

export const head = method({
  name: "head",
  about: "The last offset of a log; none where nothing was ever stored.",
  params: Schema.Struct({ topic: Schema.String, origin: maybe(node) }),
  result: Schema.Struct({ offset: maybe(whole) }),
  errors: ["StorageFailed"],
})

export const heads = method({
  name: "heads",
  about: "All logs that the caller may read, with their heads.",
  params: nothing,
  result: Schema.Struct({
    heads: Schema.Array(Schema.Struct({ topic: Schema.String, origin: node, offset: whole })),
  }),
  errors: ["StorageFailed"],
})

export const deleteRange = method({
  name: "delete",
  about: "Deletes messages of the node's own log: what is in them goes, their offsets stay. Answers how many.",
  params: Schema.Struct({ topic: Schema.String, from: whole, to: whole }),
  result: Schema.Struct({ deleted: whole }),
  errors: ["NotPermitted", ...storing],
})

export const cursor = method({
  name: "cursor",
  about: "The journal's end now: whoever subscribes from here gets all that is committed after this call.",
  params: nothing,
  result: Place,
  errors: ["StorageFailed"],
})

export const info = method({
  name: "info",
  about: "Who serves the topics: the node, and the incarnation of its store.",
  params: nothing,
  result: Schema.Struct({ node, incarnation: Schema.String }),
  errors: ["StorageFailed"],
})

export const check = method({
  name: "check",
  about: "Answers where the node can read and write now.",
  params: nothing,
  result: nothing,
  errors: ["StorageFailed", "StorageFull"],
})

export const methods = [publish, batch, fetch, head, heads, deleteRange, cursor, info, check]
