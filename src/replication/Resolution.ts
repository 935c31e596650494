/** What became of a log whose copies differed. */
import type { LogId } from "../domain/LogId.ts"

/** Whose copy is right: the one here, or the peer's. */
export type Keep = "local" | "peer"

export interface Resolution {
  readonly log: LogId
  /** The peers that it was in conflict with. */
  readonly peers: ReadonlyArray<string>
  readonly keep: Keep
  /** The first offset at which the copies differed, where they were compared and did. */
  readonly differedFrom: number | undefined
  /** Messages that were here and are gone. */
  readonly discarded: number
  /** Messages that were taken from the peer instead. */
  readonly accepted: number
  /** The last offset here now. */
  readonly head: number
}
