/**
 * What is looked at before a store is used: that its ends fit together. Whoever numbered on from a head or an end that is
 * wrong would store other messages under numbers that were given before.
 *
 * It takes a look-up a log and queue, whatever the store holds. All that is stored is looked at by an examination.
 */
import * as LogId from "../../domain/LogId.ts"
import type { KnownLogs } from "../parts/KnownLogs.ts"
import type { Tables } from "./Environment.ts"
import { readLastDiscarded } from "./Journal.ts"
import { firstName, long, place, readBlockKey, readItemsKey, readPlace, readQueue } from "./Layout.ts"

const beyondAll = long(Number.MAX_SAFE_INTEGER)

/** What does not fit, in words, if anything. */
export const wrongEnd = (tables: Tables, logs: KnownLogs, end: number): string | undefined => {
  const lastBlock = tables.blocks.lastKey(long(0), beyondAll)
  const lastStored = lastBlock === undefined ? 0 : readBlockKey(lastBlock).lastPosition
  const last = Math.max(lastStored, readLastDiscarded(tables))
  if (last !== end) return `its journal ends at position ${last}, and ${end} is noted as its end`
  for (const { head, log, number } of logs.rows) {
    const key = tables.offsets.lastKey(place(number, 0), place(number + 1, 0))
    const stored = key === undefined ? 0 : readPlace(key).at
    if (stored !== head)
      return `the log ${LogId.format(log)} ends at offset ${stored}, and ${head} is noted as its head`
  }
  for (const { key, value } of tables.queues.rows(firstName)) {
    const { ends, name, number } = readQueue(key, value)
    const lastItems = tables.queue_blocks.lastKey(place(number, 0), place(number + 1, 0))
    const stored = lastItems === undefined ? 0 : readItemsKey(lastItems).lastSequence
    const { firstSequence, lastSequence } = ends
    if ((lastSequence >= firstSequence && lastSequence !== stored) || stored > lastSequence) {
      return `the queue ${JSON.stringify(name)} ends at sequence ${stored}, and ${lastSequence} is noted as its end`
    }
  }
  return undefined
}
