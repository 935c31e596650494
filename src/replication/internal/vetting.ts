/**
 * Whether what a peer gave is what it was asked for. Plain functions.
 */
import type { LogId } from "../../domain/LogId.ts"
import { contentBytes } from "../../domain/Message.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { EncodedBlock } from "../../storage/LogStore.ts"
import { Block, blockMessagesMax, DamagedBlock } from "../../storage/parts/Block.ts"
import { headersFromForeign } from "../../storage/parts/Content.ts"
import { encodeReplicas, messagesIn } from "../../storage/parts/ReplicaBlocks.ts"
import { PeerMisbehaved } from "../errors.ts"
import type { PeerAnswer, PeerMessage } from "../Peer.ts"
import { Run } from "./Run.ts"

/** The longest id that is taken, in UTF-16 units; a UUID has 36. */
const idLengthMax = 255

export interface Asked {
  readonly log: LogId
  /** The first offset. */
  readonly from: number
  /** Messages, at most. */
  readonly limit: number
  /** The largest message: payload, topic and headers together, in bytes. */
  readonly messageBytesMax: number
}

const misbehaved = (reason: PeerMisbehaved["reason"], message: string): PeerMisbehaved =>
  new PeerMisbehaved({ reason, message })

/** What was given, fit to be stored, or what is wrong with it. It may be nothing. */
export const vet = (asked: Asked, answer: PeerAnswer): Run | PeerMisbehaved => {
  const isEncoded = "blocks" in answer
  const count = isEncoded ? messagesIn(answer.blocks) : answer.length
  if (count > asked.limit) {
    return misbehaved("too much", `the peer gave ${count} messages where ${asked.limit} were asked for`)
  }
  if (isEncoded) return vetBlocks(asked, answer.first, answer.blocks) ?? new Run(answer.first, answer.blocks)
  return vetMessages(asked, answer) ?? new Run(asked.from, encodeReplicas(answer))
}

const wrongOffset = (given: number, due: number): PeerMisbehaved =>
  misbehaved("wrong offsets", `the peer gave offset ${given} where ${due} was due`)

const malformed = (offset: number, what: string): PeerMisbehaved =>
  misbehaved("malformed message", `the message at offset ${offset} has ${what} that cannot be`)

const tooLarge = (offset: number, bytes: number, max: number): PeerMisbehaved =>
  misbehaved("too much", `the message at offset ${offset} has ${bytes} bytes, and at most ${max} are taken`)

const isIdLength = (length: number): boolean => length > 0 && length <= idLengthMax

const isTime = (createdAt: number): boolean => Number.isSafeInteger(createdAt) && createdAt >= 0

const vetMessages = (
  { log, from, messageBytesMax }: Asked,
  messages: ReadonlyArray<PeerMessage>,
): PeerMisbehaved | undefined => {
  for (let i = 0; i < messages.length; i++) {
    const { topic, origin, offset, id, createdAt, payload, headers } = messages[i]!
    if (topic !== log.topic || !NodeId.equals(origin, log.origin)) {
      const message = `the peer gave a message of ${topic}@${NodeId.format(origin)} where another log was asked for`
      return misbehaved("foreign message", message)
    }
    if (offset !== from + i) return wrongOffset(offset, from + i)
    if (!isIdLength(id.length) || !isTime(createdAt)) return malformed(offset, "an id or a time")
    const bytes = contentBytes(topic, payload, headers)
    if (bytes > messageBytesMax) return tooLarge(offset, bytes, messageBytesMax)
  }
  return undefined
}

/** Blocks name no log: they are of the one that was asked for. */
const vetBlocks = (asked: Asked, first: number, blocks: ReadonlyArray<EncodedBlock>): PeerMisbehaved | undefined => {
  if (blocks.length > 0 && first !== asked.from) return wrongOffset(first, asked.from)
  let offset = first
  for (const { content, messages } of blocks) {
    const block = messages > blockMessagesMax ? "it holds too many messages" : open(content, messages)
    if (typeof block === "string") {
      return misbehaved("malformed message", `the block at offset ${offset} cannot be taken: ${block}`)
    }
    const problem = vetBlock(asked, offset, block)
    if (problem !== undefined) return problem
    offset += messages
  }
  return undefined
}

/** A block, or why it is none. */
const open = (content: Uint8Array, messages: number): Block | string => {
  try {
    return new Block(content, messages)
  } catch (error) {
    if (error instanceof DamagedBlock) return error.message
    throw error
  }
}

const vetBlock = ({ log, messageBytesMax }: Asked, first: number, block: Block): PeerMisbehaved | undefined => {
  for (let i = 0; i < block.count; i++) {
    const isId = isIdLength(block.idLength(i)) && (!block.hasWideIds || block.id(i).isWellFormed())
    if (!isId || !isTime(block.createdAt(i))) return malformed(first + i, "an id or a time")
    if (block.isDeleted(i) && block.bytes(i) > 0) return malformed(first + i, "a deletion with content")
    const text = block.headersText(i)
    const headers = text === null ? undefined : headersFromForeign(text)
    if (text !== null && headers === undefined) return malformed(first + i, "headers")
    const bytes =
      headers === undefined ? block.bytes(i) + log.topic.length : contentBytes(log.topic, block.payload(i), headers)
    if (bytes > messageBytesMax) return tooLarge(first + i, bytes, messageBytesMax)
  }
  return undefined
}
