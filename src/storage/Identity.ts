/**
 * Whose store it is: a store remembers the node that made it, and serves no other.
 */
import { StoreUnusable } from "../domain/errors.ts"
import { defaultNodeId, equals, format, type NodeId } from "../domain/NodeId.ts"

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
