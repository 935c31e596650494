/**
 * Who follows the topics of a node, and how far behind each is: for those who look after the node.
 */
import * as Context from "effect/Context"
import type { NodeId } from "../domain/NodeId.ts"

export interface Subscriber {
  /** The topic or filter that it follows. */
  readonly filter: string
  /** Only messages of this origin; absent: everybody's. */
  readonly origin: NodeId | undefined
  /** Positions of the journal that it has still to go through: no more messages than this are waiting for it. */
  readonly lag: number
  /** Whether it has been through all that was stored, and gets messages as they are committed. */
  readonly isLive: boolean
}

export class Subscribers extends Context.Service<
  Subscribers,
  {
    /** All there are now, the slowest first. */
    readonly list: () => ReadonlyArray<Subscriber>
  }
>()("millrace/topics/Subscribers") {}
