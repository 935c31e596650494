/**
 * Items of a queue in blocks, as stores keep them and threads pass them on: consecutive ones in one array of bytes, as
 * `Block` has it, and beside it what a block of messages does not know.
 *
 * What the items are about is nearly always the same for many in a row, so it is kept once for each run of them.
 */
import { crc32 } from "node:zlib"
import type { NodeId } from "../../domain/NodeId.ts"
import type { Death, QueueItem } from "../../domain/QueueItem.ts"
import { Block, BlockWriter, DamagedBlock, encodeBlocks } from "./Block.ts"

/** What an item is before its queue gives it a sequence. */
export type ItemContent = Omit<QueueItem, "queue" | "sequence" | "attempts">

/** Consecutive items without their place in a queue. */
export interface ItemBlock {
  /** How many. */
  readonly items: number
  /** Topics, nodes and deaths: the CRC-32 of `Runs` as JSON, in eight hexadecimal digits, then that JSON. */
  readonly about: string
  /** Ids, times, headers and payloads: a `Block`. */
  readonly content: Uint8Array
}

/** Consecutive items of a queue. */
export interface StoredItemBlock extends ItemBlock {
  readonly lastSequence: number
}

type NodeText = readonly [tenant: string, line: string, device: string]
type DeathText = readonly [sequence: number, attempts: number, reason: string | null, at: number]

/** What items in a row have in common: how many they are, and what they are about. */
type Runs = ReadonlyArray<
  readonly [items: number, topic: string, source: NodeText, target: NodeText | null, death: DeathText | null]
>

/** As much of this as of content goes into one block, so that reading one stays cheap. In UTF-16 units, about. */
const aboutLengthMax = 64 * 1024

const checksumLength = 8
const checksumOf = (text: string): string => crc32(text).toString(16).padStart(checksumLength, "0")

const nodeText = ({ device, line, tenant }: NodeId): NodeText => [tenant, line, device]

/** Items with all that they say, in blocks of one buffer, which can be transferred. */
export const packItems = (items: ReadonlyArray<ItemContent>): ReadonlyArray<ItemBlock> => {
  const blocks: Array<ItemBlockWriter> = []
  let block = new ItemBlockWriter()
  for (const item of items) {
    if (block.add(item)) continue
    blocks.push(block)
    block = new ItemBlockWriter()
    block.add(item)
  }
  if (items.length > 0) blocks.push(block)
  const { bytes, lengths } = encodeBlocks(blocks.map(({ contents }) => contents))
  let at = 0
  return blocks.map((one, i) => ({
    items: one.contents.count,
    about: one.about(),
    content: bytes.subarray(at, (at += lengths[i]!)),
  }))
}

class ItemBlockWriter {
  readonly contents = new BlockWriter()
  private readonly runs: Array<{ items: number; readonly of: ItemContent }> = []
  private aboutLength = 0

  /** Adds an item, unless the block is full: then gives false. */
  add(item: ItemContent): boolean {
    const run = this.runs[this.runs.length - 1]
    const isAlike =
      run !== undefined &&
      item.topic === run.of.topic &&
      item.source === run.of.source &&
      item.target === run.of.target &&
      item.death === run.of.death
    if (!isAlike && this.runs.length > 0 && this.aboutLength + lengthOf(item) > aboutLengthMax) return false
    if (!this.contents.add(item)) return false
    if (isAlike) {
      run.items += 1
    } else {
      this.runs.push({ items: 1, of: item })
      this.aboutLength += lengthOf(item)
    }
    return true
  }

  about(): string {
    const runs: Runs = this.runs.map(({ items, of: { death, source, target, topic } }) => [
      items,
      topic,
      nodeText(source),
      target === undefined ? null : nodeText(target),
      death === undefined ? null : [death.sequence, death.attempts, death.reason ?? null, death.at],
    ])
    const text = JSON.stringify(runs)
    return checksumOf(text) + text
  }
}

/** About how long it is what a run says. */
const lengthOf = ({ death, source, target, topic }: ItemContent): number =>
  topic.length +
  nodeLength(source) +
  (target === undefined ? 0 : nodeLength(target)) +
  (death?.reason?.length ?? 0) +
  64

const nodeLength = ({ device, line, tenant }: NodeId): number => tenant.length + line.length + device.length

interface Run {
  /** Where it ends: index of the item after its last. */
  readonly end: number
  readonly topic: string
  readonly source: NodeId
  readonly target: NodeId | undefined
  readonly death: Death | undefined
}

const nodeOf = ([tenant, line, device]: NodeText): NodeId => ({ tenant, line, device })

/** The items of a stored block, by their sequences. Payloads are views of the block, which they keep alive. */
export class ItemBlockReader {
  readonly firstSequence: number
  readonly lastSequence: number
  private readonly block: Block
  private readonly runs: ReadonlyArray<Run>
  private run = 0

  /** @throws DamagedBlock */
  constructor({ about, content, items, lastSequence }: StoredItemBlock) {
    this.block = new Block(content, items)
    this.firstSequence = lastSequence - items + 1
    this.lastSequence = lastSequence
    this.runs = readRuns(about)
    if (this.runs.at(-1)?.end !== items) throw new DamagedBlock("what its items are about does not fit them")
  }

  id(sequence: number): string {
    return this.block.id(sequence - this.firstSequence)
  }

  /** The ids of all items. */
  ids(): ReadonlyArray<string> {
    return Array.from({ length: this.block.count }, (_, index) => this.block.id(index))
  }

  createdAt(sequence: number): number {
    return this.block.createdAt(sequence - this.firstSequence)
  }

  /** Bytes of an item's headers, payload and topic. */
  bytes(sequence: number): number {
    const index = sequence - this.firstSequence
    return this.block.bytes(index) + this.runAt(index).topic.length
  }

  content(sequence: number): ItemContent {
    const index = sequence - this.firstSequence
    const { death, source, target, topic } = this.runAt(index)
    const { block } = this
    return {
      id: block.id(index),
      topic,
      source,
      target,
      createdAt: block.createdAt(index),
      headers: block.headers(index),
      payload: block.payload(index),
      death,
    }
  }

  item(queue: string, sequence: number, attempts: number): QueueItem {
    return { ...this.content(sequence), queue, sequence, attempts }
  }

  /** The run that an item belongs to: where the last one was, or a little further, as a rule. */
  private runAt(index: number): Run {
    const { runs } = this
    if (this.run > 0 && index < runs[this.run - 1]!.end) this.run = 0
    while (index >= runs[this.run]!.end) this.run++
    return runs[this.run]!
  }
}

const readRuns = (about: string): ReadonlyArray<Run> => {
  const text = about.slice(checksumLength)
  if (about.slice(0, checksumLength) !== checksumOf(text)) throw new DamagedBlock("its checksum does not fit")
  let end = 0
  // What is parsed here is what was written here.
  return (JSON.parse(text) as Runs).map(([items, topic, source, target, death]): Run => {
    end += items
    return {
      end,
      topic,
      source: nodeOf(source),
      target: target === null ? undefined : nodeOf(target),
      death: death === null ? undefined : readDeath(death),
    }
  })
}

const readDeath = ([sequence, attempts, reason, at]: DeathText): Death => ({
  sequence,
  attempts,
  reason: reason ?? undefined,
  at,
})
