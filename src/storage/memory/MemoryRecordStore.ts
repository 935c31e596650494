/**
 * Records in memory. As in `MemoryLogStore`, every operation is one synchronous step.
 */
import * as Effect from "effect/Effect"
import { key as nodeKey, type NodeId } from "../../domain/NodeId.ts"
import { type RecordStore, sortRecords } from "../RecordStore.ts"
import type { MemoryDisk } from "./MemoryDisk.ts"

/** The records of a node. */
export const make = (disk: MemoryDisk, node: NodeId): RecordStore["Service"] => {
  const own = disk.records.get(nodeKey(node)) ?? new Map<string, string>()
  disk.records.set(nodeKey(node), own)
  return {
    write: ({ put, remove }) =>
      Effect.sync(() => {
        for (const key of remove) own.delete(key)
        for (const { key, value } of put) own.set(key, value)
      }),
    records: (prefix) =>
      Effect.sync(() =>
        sortRecords(Array.from(own, ([key, value]) => ({ key, value })).filter(({ key }) => key.startsWith(prefix))),
      ),
  }
}
