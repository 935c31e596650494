/**
 * Queue operations and items for the way between threads, as columns. What comes out equals what went in; of each
 * packed batch, `payloads.bytes` is to be transferred.
 */
import { type NodeId, key as nodeKey } from "../../domain/NodeId.ts"
import type { Death, QueueItem } from "../../domain/QueueItem.ts"
import type { ItemDraft, QueueOperation } from "../QueueStore.ts"
import { packContent, type PackedContent } from "./Codec.ts"
import {
  headersAt,
  namedAt,
  type NamedColumn,
  numberAt,
  type NumberColumn,
  packNamed,
  packNumbers,
  payloadReader,
  textReader,
} from "./Columns.ts"

interface PackedItemDrafts extends PackedContent {
  readonly queues: NamedColumn<string>
  readonly topics: NamedColumn<string>
  readonly sources: NamedColumn<NodeId>
  readonly targets: NamedColumn<NodeId | undefined>
}

const itself = (name: string): string => name

const packItemDrafts = (items: ReadonlyArray<ItemDraft>): PackedItemDrafts => ({
  ...packContent(items),
  queues: packNamed(
    items.map((item) => item.queue),
    itself,
  ),
  topics: packNamed(
    items.map((item) => item.topic),
    itself,
  ),
  sources: packNamed(
    items.map((item) => item.source),
    nodeKey,
  ),
  targets: packNamed(
    items.map((item) => item.target),
    (node) => (node === undefined ? "" : nodeKey(node)),
  ),
})

const unpackItemDrafts = (packed: PackedItemDrafts): ReadonlyArray<ItemDraft> => {
  const id = textReader(packed.ids)
  const payload = payloadReader(packed.payloads)
  return Array.from({ length: packed.count }, (_, i) => ({
    queue: namedAt(packed.queues, i),
    id: id(),
    topic: namedAt(packed.topics, i),
    source: namedAt(packed.sources, i),
    target: namedAt(packed.targets, i),
    createdAt: numberAt(packed.createdAt, i),
    headers: headersAt(packed.headers, i),
    payload: payload(),
  }))
}

/** Operations; those that enqueue take their items from `items`, one after the other. */
export interface PackedOperations {
  readonly operations: ReadonlyArray<Exclude<QueueOperation, { type: "enqueue" }> | "enqueue">
  readonly items: PackedItemDrafts
}

export const packOperations = (operations: ReadonlyArray<QueueOperation>): PackedOperations => ({
  operations: operations.map((operation) => (operation.type === "enqueue" ? "enqueue" : operation)),
  items: packItemDrafts(operations.flatMap((operation) => (operation.type === "enqueue" ? [operation.item] : []))),
})

export const unpackOperations = ({ items, operations }: PackedOperations): ReadonlyArray<QueueOperation> => {
  const drafts = unpackItemDrafts(items)
  let next = 0
  return operations.map((operation) =>
    operation === "enqueue" ? { type: "enqueue", item: drafts[next++]! } : operation,
  )
}

/** Stored items. */
export interface PackedItems extends PackedItemDrafts {
  readonly sequences: NumberColumn
  readonly attempts: NumberColumn
  /** Absent where none is dead. */
  readonly deaths: ReadonlyArray<Death | undefined> | undefined
}

export const packItems = (items: ReadonlyArray<QueueItem>): PackedItems => ({
  ...packItemDrafts(items),
  sequences: packNumbers(items.map((item) => item.sequence)),
  attempts: packNumbers(items.map((item) => item.attempts)),
  deaths: items.some((item) => item.death !== undefined) ? items.map((item) => item.death) : undefined,
})

export const unpackItems = (packed: PackedItems): ReadonlyArray<QueueItem> =>
  unpackItemDrafts(packed).map((draft, i) => ({
    ...draft,
    sequence: numberAt(packed.sequences, i),
    attempts: numberAt(packed.attempts, i),
    death: packed.deaths?.[i],
  }))
