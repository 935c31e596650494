/**
 * A node that has lost its store gets its own logs back as far as its peers have them. What they know to be deleted can
 * reach further: whatever were published there would be deleted at once everywhere else. So those logs are filled with
 * tombstones, up to the last offset that is known to be deleted, and go on behind it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { OffsetConflict, OffsetGap, Unavailable, WriteFailure } from "../../domain/errors.ts"
import { noHeaders, noPayload } from "../../domain/Message.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import type { ReplicatedMessage } from "../../storage/LogStore.ts"
import type { ReadError, Replica } from "../../topics/index.ts"
import { deletionOf } from "./deletions.ts"

/** Markers that are read, and tombstones that are stored, at a time. */
const batch = 1000

/** So many tombstones are put into a log at most: more than that nobody has deleted beyond its end. */
const tombstonesMax = 1_000_000

/** The last offset of each of this node's own topics that is deleted, as its own markers say. */
const endsOf = (replica: Replica["Service"]): Effect.Effect<ReadonlyMap<string, number>, ReadError> =>
  Effect.gen(function* () {
    const log = { topic: deleteMarkers, origin: replica.node }
    const ends = new Map<string, number>()
    for (let from = 1; ;) {
      const markers = yield* replica.read(log, from, batch)
      if (markers.length === 0) return ends
      for (const marker of markers) {
        const deletion = deletionOf(marker)
        if (deletion === undefined) continue
        const { log, to } = deletion
        ends.set(log.topic, Math.max(ends.get(log.topic) ?? 0, to))
      }
      from = markers[markers.length - 1]!.offset + 1
    }
  })

/** Makes all of this node's own logs end behind what is known to be deleted of them. */
export const passDeletedEnds = (
  replica: Replica["Service"],
): Effect.Effect<void, ReadError | OffsetConflict | OffsetGap | WriteFailure | Unavailable> =>
  Effect.gen(function* () {
    for (const [topic, end] of yield* endsOf(replica)) {
      const log = { topic, origin: replica.node }
      const head = yield* replica.head(log)
      if (head >= end) continue
      if (end - head > tombstonesMax) {
        yield* Effect.logError(
          `this node's own log of ${topic} ends at ${head}, and is said to be deleted up to ${end}: ` +
            "what is published to it is deleted at once by its peers",
        )
        continue
      }
      const createdAt = yield* Clock.currentTimeMillis
      yield* Effect.logWarning(
        `this node's own log of ${topic} is deleted up to ${end}, and nobody has it beyond ${head}: it goes on behind that`,
      )
      for (let offset = head + 1; offset <= end;) {
        const tombstones: Array<ReplicatedMessage> = []
        for (; offset <= end && tombstones.length < batch; offset++) {
          tombstones.push({
            offset,
            id: crypto.randomUUID(),
            createdAt,
            headers: noHeaders,
            payload: noPayload,
            deleted: true,
          })
        }
        yield* replica.accept(log, tombstones)
      }
    }
  })
