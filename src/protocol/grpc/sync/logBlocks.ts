/**
 * Messages of one log on their way to a peer: stored blocks, as they are.
 */
import type { PeerRun } from "../../../replication/index.ts"
import type { EncodedBlock } from "../../../storage/LogStore.ts"
import type { SelfEncoding } from "../codec/wire.ts"
import { WireBuffer } from "../codec/WireBuffer.ts"
import type { SyncServiceFetchResponse } from "../gen/millrace/v1/sync_pb.ts"

const out = new WireBuffer()

/** A `SyncServiceFetchResponse`, written once: then the memory of its block, which is nobody else's, is set free. */
class BlockAnswer implements SelfEncoding {
  readonly #first: number
  readonly #block: EncodedBlock

  constructor(first: number, block: EncodedBlock) {
    this.#first = first
    this.#block = block
  }

  get bytes(): number {
    return this.#block.content.byteLength
  }

  encode(): Buffer {
    const { content, messages } = this.#block
    if (content.byteLength === 0) throw new Error("a block was set free before it was sent")
    const block = out.begin(1)
    out.number(1, this.#first)
    out.number(2, messages)
    out.blob(3, content)
    out.end(block)
    const bytes = out.finish()
    if (content.buffer.byteLength === content.byteLength) (content.buffer as ArrayBuffer).transfer(0)
    return bytes
  }
}

/** Blocks of a log from an offset on, as answers. */
export const answersOf = (from: number, blocks: ReadonlyArray<EncodedBlock>): ReadonlyArray<SelfEncoding> => {
  let first = from
  return blocks.map((block) => {
    const answer = new BlockAnswer(first, block)
    first += block.messages
    return answer
  })
}

/** Takes answers of a peer together. What is in the blocks is looked at by who asked. */
export class RunCollector {
  readonly #blocks: Array<EncodedBlock> = []
  readonly #from: number
  #first: number | undefined
  /** How many messages it says that there are. */
  count = 0
  bytes = 0

  constructor(from: number) {
    this.#from = from
  }

  get run(): PeerRun {
    return { first: this.#first ?? this.#from, blocks: this.#blocks }
  }

  /** Throws where an answer holds nothing, or does not go on where the one before has ended. */
  add({ block }: SyncServiceFetchResponse): void {
    if (block === undefined || block.count === 0) throw new Error("an answer without messages")
    const first = Number(block.first)
    this.#first ??= first
    if (first !== this.#first + this.count) {
      throw new Error(`a block that begins at offset ${first} where ${this.#first + this.count} was due`)
    }
    this.#blocks.push({ messages: block.count, content: block.content })
    this.count += block.count
    this.bytes += block.content.byteLength
  }
}
