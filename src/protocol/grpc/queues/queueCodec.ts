/**
 * Items of queues in millrace.v1, there and back.
 */
import type { Death, QueueItem } from "../../../domain/QueueItem.ts"
import { makeHeaders } from "../../../domain/Message.ts"
import type { QueueState } from "../../../storage/QueueStore.ts"
import * as codec from "../codec/codec.ts"
import type { Death as DeathMessage, Item, QueueState as StateMessage } from "../gen/millrace/v1/queues_pb.ts"

export const itemMessage = (item: QueueItem): Item => ({
  $typeName: "millrace.v1.Item",
  queue: item.queue,
  id: item.id,
  sequence: BigInt(item.sequence),
  attempts: item.attempts,
  topic: item.topic,
  source: codec.nodeMessage(item.source),
  ...(item.target === undefined ? {} : { target: codec.nodeMessage(item.target) }),
  createdAtMs: BigInt(item.createdAt),
  headers: item.headers,
  payload: item.payload,
  ...(item.death === undefined ? {} : { death: deathMessage(item.death) }),
})

const deathMessage = ({ at, attempts, reason, sequence }: Death): DeathMessage => ({
  $typeName: "millrace.v1.Death",
  sequence: BigInt(sequence),
  attempts,
  ...(reason === undefined ? {} : { reason }),
  atMs: BigInt(at),
})

/** An item from a message of a node that we trust. */
export const item = (message: Item): QueueItem => ({
  queue: message.queue,
  id: message.id,
  sequence: Number(message.sequence),
  attempts: message.attempts,
  topic: message.topic,
  source: codec.plainNode(message.source),
  target: message.target === undefined ? undefined : codec.plainNode(message.target),
  createdAt: Number(message.createdAtMs),
  headers: makeHeaders(message.headers),
  payload: message.payload,
  death: message.death === undefined ? undefined : death(message.death),
})

const death = ({ atMs, attempts, reason, sequence }: DeathMessage): Death => ({
  sequence: Number(sequence),
  attempts,
  reason,
  at: Number(atMs),
})

export const stateMessage = ({ depth, lastSequence, oldestAt, queue }: QueueState): StateMessage => ({
  $typeName: "millrace.v1.QueueState",
  queue,
  depth: BigInt(depth),
  lastSequence: BigInt(lastSequence),
  ...(oldestAt === undefined ? {} : { oldestAtMs: BigInt(oldestAt) }),
})

export const state = ({ depth, lastSequence, oldestAtMs, queue }: StateMessage): QueueState => ({
  queue,
  depth: Number(depth),
  lastSequence: Number(lastSequence),
  oldestAt: oldestAtMs === undefined ? undefined : Number(oldestAtMs),
})
