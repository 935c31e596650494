/**
 * Logs, queues, cursors and records in memory: `layer` provides their stores, and what is in them lives as long as the process, or as long
 * as the `disk` it is on.
 *
 * A disk is held by one store at a time, as a file would be; a second one is refused. A disk that is made to be shared
 * takes a store of each node, as a database server would: `makeDisk({ shared: true })`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { StoreUnusable } from "../../domain/errors.ts"
import { key as nodeKey, type NodeId } from "../../domain/NodeId.ts"
import { resolveNode } from "../parts/Identity.ts"
import { defaultKeyWindow, type KeyWindow } from "../LogStore.ts"
import { makeDisk, type MemoryDisk } from "./MemoryDisk.ts"
import { type StoreServices, toContext } from "../Stores.ts"
import * as MemoryCursorStore from "./MemoryCursorStore.ts"
import * as MemoryLogStore from "./MemoryLogStore.ts"
import * as MemoryQueueStore from "./MemoryQueueStore.ts"
import * as MemoryRecordStore from "./MemoryRecordStore.ts"

export { type DiskOptions, makeDisk, type MemoryDisk } from "./MemoryDisk.ts"
export type { SharingOptions } from "./Sharing.ts"

export interface MemoryOptions {
  /** Whose store it is; absent: the disk's node, or the default one on a new disk. */
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
  /** What to store on; absent: a disk of the layer's own. */
  readonly disk?: MemoryDisk | undefined
}

/**
 * A store in memory. Fails as `StoreUnusable` where the disk is another node's or is held; of a shared one, where this node
 * has a store on it already.
 */
export const layer = (options: MemoryOptions = {}): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const disk = options.disk ?? makeDisk()
      const { sharing } = disk
      const node = resolveNode("this memory", sharing === undefined ? disk.node : undefined, options.node)
      if (node instanceof StoreUnusable) return yield* node
      yield* Effect.acquireRelease(hold(disk, node), () => Effect.sync(() => disk.open.delete(nodeKey(node))))
      if (sharing === undefined) disk.node = node
      const stores = {
        logs: MemoryLogStore.make(disk, node, options.keyWindow ?? defaultKeyWindow),
        queues: MemoryQueueStore.make(disk),
        cursors: MemoryCursorStore.make(disk),
        records: MemoryRecordStore.make(disk, node),
      }
      return toContext(sharing === undefined ? stores : yield* sharing.join(node, stores))
    }),
  )

const hold = (disk: MemoryDisk, node: NodeId): Effect.Effect<void, StoreUnusable> =>
  Effect.suspend(() => {
    if (disk.open.has(nodeKey(node))) {
      return new StoreUnusable({ reason: "held", message: `this memory is held by another store of this process` })
    }
    disk.open.add(nodeKey(node))
    return Effect.void
  })
