/**
 * Lines on their way to the node travel in batches: a commit each at most, and small enough to be repeated.
 */
import type { PublishDraft } from "../../topics/Topics.ts"

/** A batch: lines, and bytes, at most, except that one line may be longer. */
const batchLinesMax = 1000
const batchBytesMax = 1024 * 1024
export interface Batch {
  /** Number of its first line, from 1. */
  readonly firstLine: number
  readonly drafts: ReadonlyArray<PublishDraft>
}

/** Cuts lines into batches. */
export const batches = (drafts: ReadonlyArray<PublishDraft>, firstLine: number): ReadonlyArray<Batch> => {
  const found: Array<Batch> = []
  let start = 0
  let bytes = 0
  for (const [index, draft] of drafts.entries()) {
    const size = draft.payload.length
    if (index > start && (index - start === batchLinesMax || bytes + size > batchBytesMax)) {
      found.push({ firstLine: firstLine + start, drafts: drafts.slice(start, index) })
      start = index
      bytes = 0
    }
    bytes += size
  }
  if (start < drafts.length) found.push({ firstLine: firstLine + start, drafts: drafts.slice(start) })
  return found
}

/** Some lines, for a sentence: `lines 1 to 5 are`. */
export const lineRange = (first: number, last: number): string =>
  first === last ? `line ${first} is` : `lines ${first} to ${last} are`
