/**
 * What a store remembers of itself: whose it is, its incarnation, its format. It serves no other node than the one that
 * made it, and no program that does not know its format.
 */
import * as Schema from "effect/Schema"
import { StoreUnusable } from "../../domain/errors.ts"
import { defaultNodeId, equals, format, NodeId } from "../../domain/NodeId.ts"

/** What a store is, once it is open. */
export interface Identity {
  readonly node: NodeId
  readonly incarnation: string
}

const NodeText = Schema.fromJsonString(NodeId)
export const encodeNode = Schema.encodeSync(NodeText)
export const decodeNode = Schema.decodeUnknownOption(NodeText)

/** What a store's `state` says where the file is a backup, and has never been opened as a store. */
export const backupState = "backup"

/** Refuses a store that is damaged, and says where to look on. */
export const damaged = (store: string, what: string): StoreUnusable =>
  new StoreUnusable({
    reason: "damaged",
    message: `${store} is damaged: ${what} ("millrace doctor ${store}" says what can still be read; restore a backup)`,
  })

/** Refuses a store of a format that this version does not know. */
export const newer = (store: string, storeFormat: number, known: number): StoreUnusable =>
  new StoreUnusable({
    reason: "newer format",
    message: `${store} has format ${storeFormat}, and this version of millrace knows formats up to ${known}`,
  })

/**
 * The node that a store serves, or why it is refused.
 *
 * @param store the store's name in the refusal, a path for example
 * @param remembered whose store it is, where it existed before
 * @param asked who wants to use it; absent: whoever it belongs to
 */
export const resolveNode = (
  store: string,
  remembered: NodeId | undefined,
  asked: NodeId | undefined,
): NodeId | StoreUnusable => {
  if (remembered === undefined) return asked ?? defaultNodeId
  if (asked === undefined || equals(remembered, asked)) return remembered
  return new StoreUnusable({
    reason: "other identity",
    message: `${store} belongs to node ${format(remembered)} and cannot be used as ${format(asked)}`,
  })
}
