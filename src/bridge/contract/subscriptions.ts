/**
 * How `.bus` gives messages to who reads them. Whoever reads asks for what is next, and so is never sent what it has no
 * room for; what waits for it waits in storage.
 *
 * A subscription lives as long as the connection that it was begun on. Each answer says up to which position it goes,
 * and the next question says how far the reader has got (`after`): where an answer was lost, it comes again.
 */
import * as Schema from "effect/Schema"
import { beginning, maybe, method, node, nothing, whole } from "./Method.ts"
import { Message } from "./topics.ts"

/** Milliseconds that a question waits for an answer, where nothing comes: by default, and at most. */
export const waitMillisDefault = 1000
export const waitMillisMax = 60_000

/** Bytes of payload that an answer has, about; one message may have more. */
export const answerBytes = 1024 * 1024

export const Next = Schema.Struct({ id: whole, after: maybe(whole), wait: maybe(whole) })

export const Messages = Schema.Struct({ messages: Schema.Array(Message), live: maybe(Schema.Boolean) })

export const subscribe = method({
  name: "subscribe",
  about:
    'Begins a subscription to a topic or filter: at the `"start"`, the `"end"` (default), an offset of one log, or after a place of the journal. Answers its id, and where it begins.',
  params: Schema.Struct({ filter: Schema.String, origin: maybe(node), from: maybe(beginning) }),
  result: Schema.Struct({ id: whole, incarnation: Schema.String, position: maybe(whole) }),
  errors: ["CursorInvalid", "StorageFailed"],
})

export const next = method({
  name: "subscribe.next",
  about:
    "The next messages of a subscription, in order: waits for some, but no longer than `wait` milliseconds. `after` is the position of the last message that has come; `live` tells that all that was stored at the beginning has come.",
  params: Next,
  result: Messages,
  errors: ["SessionUnknown", "CursorInvalid", "StorageFailed"],
})

export const end = method({
  name: "subscribe.end",
  about: "Ends a subscription.",
  params: Schema.Struct({ id: whole }),
  result: nothing,
  errors: [],
})

export const methods = [subscribe, next, end]
