/**
 * Whether the content of a block is as it was written, and says what it should: it fits its checksum, headers can be
 * read, deleted messages hold nothing, ranges that were deleted hold deleted messages only, and markers of deletions can
 * be read and have been carried out.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DeleteMarker } from "../../domain/DeleteMarker.ts"
import { format, key as logKey } from "../../domain/LogId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import { Block, DamagedBlock } from "../parts/Block.ts"
import { contains, covers, type OffsetRange } from "../parts/OffsetRanges.ts"
import { type BlockSpan, type CheckedLog, rangeText } from "./LogCheck.ts"
import { isOwn, type Owners } from "./tables.ts"
import type { Report } from "./Report.ts"

/** What is known of deletions when the blocks are looked at. */
export interface Deletions {
  /** Deleted ranges by the log's key. */
  readonly ranges: ReadonlyMap<string, ReadonlyArray<OffsetRange>>
  /** Whose store it is: only their deletions have markers that must have been carried out here. */
  readonly owners: Owners
}

const decodeMarker = Schema.decodeUnknownOption(DeleteMarker)

const open = (content: Uint8Array, messages: number): Block | string => {
  try {
    return new Block(content, messages)
  } catch (error) {
    if (error instanceof DamagedBlock) return error.message
    // A checksum does not keep a length from being nonsense: what it then runs into is damage, too.
    return String(error)
  }
}

const readable = (block: Block, index: number): boolean => {
  try {
    block.headers(index)
    return block.id(index) !== "" && Number.isFinite(block.createdAt(index))
  } catch {
    // Headers are JSON of our own: whatever else stands there was not written by us.
    return false
  }
}

export const checkContent = (
  report: Report,
  deletions: Deletions,
  { log }: CheckedLog,
  span: BlockSpan,
  content: Uint8Array,
): void => {
  const { firstOffset, firstPosition, lastOffset, lastPosition } = span
  const block = open(content, lastOffset - firstOffset + 1)
  if (typeof block === "string") {
    const offsets = { first: firstOffset, last: lastOffset }
    report.add(
      "block",
      `the block that ends at position ${lastPosition}, ${rangeText(offsets)} of the log ${format(log)}, is damaged: ${block}`,
      { log, offsets, position: lastPosition },
    )
    return
  }
  const ranges = deletions.ranges.get(logKey(log)) ?? []
  const isOwnMarkers = log.topic === deleteMarkers && isOwn(deletions.owners, log)
  for (let index = 0; index < block.count; index++) {
    const offset = firstOffset + index
    const place = { log, offsets: { first: offset, last: offset }, position: firstPosition + index }
    const isDeleted = block.isDeleted(index)
    if (!readable(block, index)) {
      report.add(
        "block",
        `offset ${offset} of the log ${format(log)} has no id, no time or headers that cannot be read`,
        place,
      )
    }
    if (isDeleted && block.bytes(index) > 0) {
      report.add(
        "not deleted",
        `offset ${offset} of the log ${format(log)} is deleted and still holds its content`,
        place,
      )
    }
    if (!isDeleted && ranges.length > 0 && contains(ranges, offset)) {
      report.add(
        "not deleted",
        `offset ${offset} of the log ${format(log)} is in a deleted range and is still there`,
        place,
      )
    }
    if (isOwnMarkers && !isDeleted) checkMarker(report, deletions, block.payload(index), place)
  }
}

const checkMarker = (
  report: Report,
  { ranges }: Deletions,
  payload: Uint8Array,
  place: { readonly log: CheckedLog["log"]; readonly offsets: OffsetRange; readonly position: number },
): void => {
  const name = `the marker at offset ${place.offsets.first} of ${format(place.log)}`
  const marker = Option.getOrUndefined(decodeMarker(Buffer.from(payload).toString("utf8")))
  if (marker === undefined) return report.add("marker", `${name} cannot be read`, place)
  const { bl_name: line, device_id: device, tenant_id: tenant } = marker.origin
  const log = { topic: marker.topic, origin: { tenant, line, device } }
  const range = { first: marker.from_head_id, last: marker.to_head_id }
  if (!covers(ranges.get(logKey(log)) ?? [], range)) {
    report.add(
      "marker",
      `${name} says that ${rangeText(range)} of the log ${format(log)} are deleted, and they are not`,
      place,
    )
  }
}
