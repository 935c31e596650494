/** What `.bus` does with named cursors: holding them, and looking after them. */
import * as Schema from "effect/Schema"
import { beginning, maybe, method, node, nothing, Place, whole } from "./Method.ts"
import { Messages, Next } from "./subscriptions.ts"

const writing = ["StorageFailed", "StorageFull", "OutcomeUnknown"] as const
const holding = ["CursorInvalid", "CursorMismatch", "CursorTaken", "CursorLost", ...writing] as const

export const CursorState = Schema.Struct({
  name: Schema.String,
  topics: Schema.String,
  origin: maybe(node),
  position: whole,
  lag: whole,
  isHeld: Schema.Boolean,
  movedAt: whole,
})

export const hold = method({
  name: "cursor.hold",
  about:
    "Takes a named cursor, which begins `from` somewhere if it is not there yet. One holder at a time; `takeOver` takes it from another. `resume` is the same hold again, after its connection was lost.",
  params: Schema.Struct({
    cursor: Schema.String,
    filter: Schema.String,
    origin: maybe(node),
    from: maybe(beginning),
    takeOver: maybe(Schema.Boolean),
    resume: maybe(Schema.Struct({ ...Place.fields, epoch: whole })),
  }),
  result: Schema.Struct({ id: whole, epoch: whole, incarnation: Schema.String, position: whole }),
  errors: holding,
})

export const next = method({
  name: "cursor.next",
  about: "The next messages of a cursor that is held, as `subscribe.next`.",
  params: Next,
  result: Messages,
  errors: ["SessionUnknown", ...holding],
})

export const commit = method({
  name: "cursor.commit",
  about:
    "Says that all up to a position has been handled. That is committed soon; with `settle` it answers when it is durable.",
  params: Schema.Struct({ id: whole, position: maybe(whole), settle: maybe(Schema.Boolean) }),
  result: nothing,
  errors: ["SessionUnknown", ...holding],
})

export const watch = method({
  name: "cursor.watch",
  about: "Fails when the cursor is lost; otherwise answers after `wait` milliseconds.",
  params: Schema.Struct({ id: whole, wait: maybe(whole) }),
  result: nothing,
  errors: ["SessionUnknown", ...holding],
})

export const release = method({
  name: "cursor.release",
  about: "Commits what was handled, and gives the cursor back.",
  params: Schema.Struct({ id: whole }),
  result: nothing,
  errors: holding,
})

export const list = method({
  name: "cursors",
  about: "All named cursors that the caller may read with, and how they stand.",
  params: nothing,
  result: Schema.Struct({ cursors: Schema.Array(CursorState) }),
  errors: ["StorageFailed"],
})

export const reset = method({
  name: "cursor.reset",
  about: "Puts a named cursor to the journal's start or end, or after a position. Who holds it loses it.",
  params: Schema.Struct({ cursor: Schema.String, to: Schema.Union([Schema.Literals(["start", "end"]), whole]) }),
  result: nothing,
  errors: ["CursorUnknown", ...writing],
})

export const remove = method({
  name: "cursor.delete",
  about: "Deletes a named cursor. Who holds it loses it.",
  params: Schema.Struct({ cursor: Schema.String }),
  result: nothing,
  errors: ["CursorUnknown", ...writing],
})

export const methods = [hold, next, commit, watch, release, list, reset, remove]
