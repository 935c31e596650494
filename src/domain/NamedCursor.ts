/**
 * A named cursor: a place in a node's journal that the node keeps for a consumer. It goes with the messages it was made
 * for, a topic or a filter, of one origin or of all. Its name obeys the rules of topics' names, and is at most 255 bytes
 * of UTF-8.
 */
import { nameProblem } from "./Name.ts"
import type { NodeId } from "./NodeId.ts"

/** The longest name of a cursor, in bytes of UTF-8. */
export const cursorBytesMax = 255

/** What is wrong with a cursor's name, as a sentence without a full stop, or `undefined`. */
export const cursorProblem = (name: string): string | undefined => nameProblem("cursor's name", name, cursorBytesMax)

export interface NamedCursor {
  readonly name: string
  /** The topic or filter that it was made for. */
  readonly topics: string
  /** Of whose messages; absent: of everybody's. */
  readonly origin: NodeId | undefined
  /** All that was wanted up to here in the journal has been handled. */
  readonly position: number
  /** When it last moved, or was made or reset, in milliseconds since 1970. */
  readonly movedAt: number
}
