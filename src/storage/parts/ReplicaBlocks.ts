/**
 * Messages of another node as encoded blocks: a run of its log, which a store keeps as it came where the log here ends just
 * before it and nothing of it was deleted beforehand. Otherwise each message has to be looked at (`AcceptPlan`).
 */
import * as Effect from "effect/Effect"
import type { OffsetConflict, OffsetGap, StorageFailed, WriteFailure } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import { type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import type { AcceptedRun, AcceptResult, EncodedBlock, LogStore, PageLimit, ReplicatedMessage } from "../LogStore.ts"
import { Block, BlockWriter, encodeBlocks } from "./Block.ts"
import type { OffsetRange } from "./OffsetRanges.ts"

/** How many messages there are in some blocks. */
export const messagesIn = (blocks: ReadonlyArray<EncodedBlock>): number =>
  blocks.reduce((sum, { messages }) => sum + messages, 0)

/** The offsets of blocks, where a log that ends at `head` goes on with them; undefined where it does not, or they hold nothing. */
export const offsetsBeyond = (
  head: number,
  from: number,
  blocks: ReadonlyArray<EncodedBlock>,
): OffsetRange | undefined => {
  const count = messagesIn(blocks)
  return count > 0 && from === head + 1 ? { first: from, last: head + count } : undefined
}

/** The messages on their way into blocks. */
export const blockWriters = (messages: ReadonlyArray<ReplicatedMessage>): ReadonlyArray<BlockWriter> => {
  const writers: Array<BlockWriter> = []
  for (const message of messages) {
    const content = message.deleted ? { ...message, headers: noHeaders, payload: noPayload } : message
    if (writers.at(-1)?.add(content) === true) continue
    const writer = new BlockWriter()
    writer.add(content)
    writers.push(writer)
  }
  return writers
}

/** The messages as blocks, each in memory of its own. */
export const encodeReplicas = (messages: ReadonlyArray<ReplicatedMessage>): ReadonlyArray<EncodedBlock> =>
  blockWriters(messages).map((writer) => ({ messages: writer.count, content: encodeBlocks([writer]).bytes }))

/** The messages, given the offset of each. */
export const replicasIn = (
  blocks: ReadonlyArray<EncodedBlock>,
  offsetOf: (index: number) => number,
): ReadonlyArray<ReplicatedMessage> => {
  const replicas: Array<ReplicatedMessage> = []
  for (const { content, messages } of blocks) {
    const block = new Block(content, messages)
    for (let i = 0; i < messages; i++) {
      replicas.push({
        offset: offsetOf(replicas.length),
        id: block.id(i),
        createdAt: block.createdAt(i),
        headers: block.headers(i),
        payload: block.payload(i),
        deleted: block.isDeleted(i),
      })
    }
  }
  return replicas
}

/** The messages, whose offsets follow one another from one on. */
export const replicasFrom = (from: number, blocks: ReadonlyArray<EncodedBlock>): ReadonlyArray<ReplicatedMessage> =>
  replicasIn(blocks, (index) => from + index)

/** The last one of them. */
export const lastReplica = (from: number, blocks: ReadonlyArray<EncodedBlock>): ReplicatedMessage => {
  const { content, messages } = blocks.at(-1)!
  return { offset: from + messagesIn(blocks) - 1, ...new Block(content, messages).content(messages - 1) }
}

/** The messages of a batch that were accepted, as they are stored. */
export const acceptedOf = (
  { origin, topic }: LogId,
  messages: ReadonlyArray<ReplicatedMessage>,
  { count, deleted, head, position }: AcceptedRun,
): ReadonlyArray<Message> => {
  const accepted: Array<Message> = []
  const gone = new Set(deleted)
  const first = head - count + 1
  for (const { createdAt, deleted: cameDeleted, headers, id, offset, payload } of messages) {
    // What is there twice was stored once.
    if (offset !== first + accepted.length || accepted.length === count) continue
    const isGone = cameDeleted || gone.has(offset)
    accepted.push({
      topic,
      origin,
      offset,
      position: position + accepted.length,
      id,
      createdAt,
      headers: isGone ? noHeaders : headers,
      payload: isGone ? noPayload : payload,
      deleted: isGone,
    })
  }
  return accepted
}

/** What became of messages, without them: what is accepted in one commit lies together. */
export const runOf = ({ accepted, head }: AcceptResult): AcceptedRun => ({
  head,
  count: accepted.length,
  position: accepted[0]?.position ?? 0,
  deleted: accepted.filter(({ deleted }) => deleted).map(({ offset }) => offset),
})

/** `LogStore.readBlocks` of any store. */
export const readBlocks = (
  store: LogStore["Service"],
  log: LogId,
  from: number,
  limit: PageLimit,
): Effect.Effect<ReadonlyArray<EncodedBlock>, StorageFailed> =>
  store.readBlocks?.(log, from, limit) ?? Effect.map(store.readLog(log, from, limit), encodeReplicas)

/** `LogStore.acceptBlocks` of any store. */
export const acceptBlocks = (
  store: LogStore["Service"],
  log: LogId,
  from: number,
  blocks: ReadonlyArray<EncodedBlock>,
): Effect.Effect<AcceptedRun, OffsetConflict | OffsetGap | WriteFailure> =>
  store.acceptBlocks?.(log, from, blocks) ?? Effect.map(store.accept(log, replicasFrom(from, blocks)), runOf)
