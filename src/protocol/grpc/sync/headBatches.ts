/**
 * Logs and their heads on their way to a peer: in batches of bounded size, whose origins are listed once, however many
 * logs there are.
 */
import type { LogHead } from "../../../domain/LogId.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import * as codec from "../codec/codec.ts"
import type { Head, HeadBatch } from "../gen/millrace/v1/sync_pb.ts"
import type { NodeId as NodeMessage } from "../gen/millrace/v1/topics_pb.ts"

/** A batch holds about this much at most. */
const batchBytesMax = 128 * 1024

/** About what a head takes on the wire beside its topic. */
const overheadBytes = 16

/** About how many bytes a batch takes. */
export const weigh = (batch: HeadBatch | undefined): number => {
  let bytes = 16
  if (batch === undefined) return bytes
  for (const { device, line, tenant } of batch.origins) bytes += tenant.length + line.length + device.length
  for (const { topic } of batch.heads) bytes += topic.length + overheadBytes
  return bytes
}

/** Heads as batches, in order; none where there are none. */
export const headBatches = (heads: ReadonlyArray<LogHead>): ReadonlyArray<HeadBatch> => {
  const batches: Array<HeadBatch> = []
  let origins: Array<NodeMessage> = []
  let batch: Array<Head> = []
  let indexes = new Map<string, number>()
  let bytes = 0
  const finish = (): void => {
    if (batch.length === 0) return
    batches.push({ $typeName: "millrace.v1.HeadBatch", origins, heads: batch })
    origins = []
    batch = []
    indexes = new Map()
    bytes = 0
  }
  for (const { offset, origin, topic } of heads) {
    if (bytes >= batchBytesMax) finish()
    const key = NodeId.key(origin)
    let index = indexes.get(key)
    if (index === undefined) {
      index = origins.push(codec.nodeMessage(origin)) - 1
      indexes.set(key, index)
      bytes += key.length
    }
    batch.push({ $typeName: "millrace.v1.Head", origin: index, topic, offset: BigInt(offset) })
    bytes += topic.length + overheadBytes
  }
  finish()
  return batches
}

/** The heads of a batch as a peer sent it; throws where a log has no origin. */
export const headsOf = (batch: HeadBatch | undefined): Array<LogHead> => {
  if (batch === undefined) return []
  const origins = batch.origins.map(codec.plainNode)
  return batch.heads.map(({ offset, origin: index, topic }) => {
    const origin = origins[index]
    if (origin === undefined) throw new Error("a log without an origin")
    return { topic, origin, offset: Number(offset) }
  })
}
