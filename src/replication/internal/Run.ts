/**
 * What a peer gave of a log, once it is vetted: messages whose offsets follow one another, encoded. It goes to the store as
 * it is; only what has to be looked at is taken out of it.
 */
import type { EncodedBlock, ReplicatedMessage } from "../../storage/LogStore.ts"
import { Block } from "../../storage/parts/Block.ts"
import { lastReplica, messagesIn, replicasFrom } from "../../storage/parts/ReplicaBlocks.ts"

export class Run {
  /** The first offset. */
  readonly first: number
  readonly blocks: ReadonlyArray<EncodedBlock>
  /** How many messages there are. */
  readonly count: number

  constructor(first: number, blocks: ReadonlyArray<EncodedBlock>) {
    this.first = first
    this.blocks = blocks
    this.count = messagesIn(blocks)
  }

  /** The last offset; one less than the first where there is no message. */
  get last(): number {
    return this.first + this.count - 1
  }

  /** All messages. */
  messages(): ReadonlyArray<ReplicatedMessage> {
    return replicasFrom(this.first, this.blocks)
  }

  firstMessage(): ReplicatedMessage {
    const { content, messages } = this.blocks[0]!
    return { offset: this.first, ...new Block(content, messages).content(0) }
  }

  lastMessage(): ReplicatedMessage {
    return lastReplica(this.first, this.blocks)
  }

  withoutFirst(): Run {
    const [{ content, messages }, ...others] = this.blocks as [EncodedBlock, ...Array<EncodedBlock>]
    if (messages === 1) return new Run(this.first + 1, others)
    const rest = { messages: messages - 1, content: new Block(content, messages).slice(1, messages) }
    return new Run(this.first + 1, [rest, ...others])
  }
}
