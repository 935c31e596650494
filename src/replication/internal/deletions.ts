/** The deletions that come with a peer's messages. A marker deletes what its own node has published, and nothing else. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeleteMarker } from "../../domain/DeleteMarker.ts"
import type { Unavailable, WriteFailure } from "../../domain/errors.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { Replica } from "../../topics/index.ts"
import type { Message } from "../../domain/Message.ts"
import type { ReplicatedMessage } from "../../storage/LogStore.ts"

const readMarker = Schema.decodeUnknownOption(DeleteMarker)
const decoder = new TextDecoder()

/** The range that a marker deletes, where it is one of its own node's. */
export const deletionOf = ({ payload, origin, deleted }: Pick<Message, "payload" | "origin" | "deleted">) => {
  if (deleted) return undefined
  const marker = readMarker(decoder.decode(payload))
  if (marker._tag === "None") return undefined
  const { topic, origin: named, from_head_id: from, to_head_id: to } = marker.value
  const owner = { tenant: named.tenant_id, line: named.bl_name, device: named.device_id }
  return NodeId.equals(owner, origin) && from <= to ? { log: { topic, origin }, from, to } : undefined
}

/** Deletes here what markers of a node say to be deleted. */
export const applyDeletions = (
  replica: Replica["Service"],
  origin: NodeId.NodeId,
  markers: ReadonlyArray<ReplicatedMessage>,
): Effect.Effect<void, WriteFailure | Unavailable> =>
  Effect.forEach(
    markers.map((marker) => deletionOf({ ...marker, origin })).filter((deletion) => deletion !== undefined),
    ({ log, from, to }) => replica.deleteRange(log, from, to),
    { discard: true },
  )
