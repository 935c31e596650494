/**
 * A disk that takes its time, fails, and stands still when the power goes: at a moment of its own, or at a certain write,
 * just before that is made or just after. What was written before is still there afterwards; what was not is lost.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { StorageFailed } from "../../src/domain/errors.ts"
import type { LogId } from "../../src/domain/LogId.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { makeDisk, type MemoryDisk } from "../../src/storage/memory/index.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import type { DiskPlan } from "./Scenario.ts"

/** The power of a machine, from when it is switched on until it goes. */
export interface Power {
  isOn: boolean
  /** How many writes it lasts for, and whether the last one is made; undefined: as long as nobody cuts it. */
  lasts: { writes: number; readonly made: boolean } | undefined
  /** It goes now. */
  readonly cut: () => void
}

export interface DiskWatch {
  readonly power: Power
  readonly plan: () => DiskPlan
  readonly random: () => number
  /** Something was written to these logs. */
  readonly wrote: (what: string, logs: ReadonlyArray<LogId>) => void
}

const gone = (operation: string): Effect.Effect<never, StorageFailed> =>
  Effect.fail(new StorageFailed({ operation, message: "the power is off" }))

/** The stores of a layer, on such a disk. */
export const onDisk = <E>(
  stores: Layer.Layer<StoreServices, E>,
  { plan, power, random, wrote }: DiskWatch,
): Layer.Layer<StoreServices, E> => {
  const wait = <A, E>(then: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const { delayMax } = plan()
    return delayMax === 0 ? then : Effect.andThen(Effect.sleep(Math.floor(random() * delayMax)), then)
  }

  const write = <A, E>(
    operation: string,
    right: Effect.Effect<A, E>,
    logs: (result: A) => ReadonlyArray<LogId>,
  ): Effect.Effect<A, E | StorageFailed> => {
    const made = Effect.flatMap(right, (result): Effect.Effect<A, StorageFailed> => {
      wrote(operation, logs(result))
      return wait(Effect.suspend(() => (power.isOn ? Effect.succeed(result) : gone(operation))))
    })
    const now = Effect.suspend((): Effect.Effect<A, E | StorageFailed> => {
      if (!power.isOn) return gone(operation)
      if (random() < plan().failure) return Effect.fail(new StorageFailed({ operation, message: "it failed" }))
      if (power.lasts !== undefined && power.lasts.writes-- === 0) {
        const { made: isMade } = power.lasts
        power.lasts = undefined
        if (!isMade) {
          power.cut()
          return gone(operation)
        }
        return Effect.flatMap(right, (result) => {
          wrote(`${operation}, the last one`, logs(result))
          power.cut()
          return gone(operation)
        })
      }
      return made
    })
    return Effect.suspend(() => wait(now))
  }

  const faulty = Layer.effect(
    LogStore,
    LogStore.useSync((right) =>
      LogStore.of({
        ...right,
        append: (requests) =>
          write("append", right.append(requests), () =>
            requests.flat().map(({ topic }) => ({ topic, origin: right.info.node })),
          ),
        accept: (log, messages) =>
          write("accept", right.accept(log, messages), ({ accepted }) => (accepted.length > 0 ? [log] : [])),
        tombstone: (request) =>
          write("tombstone", right.tombstone(request), ({ marker }) => (marker === undefined ? [] : [marker])),
      }),
    ),
  )
  const faultyRecords = Layer.effect(
    RecordStore,
    RecordStore.useSync((right) =>
      RecordStore.of({ ...right, write: (change) => write("records", right.write(change), () => []) }),
    ),
  )
  return Layer.merge(faulty, faultyRecords).pipe(Layer.provideMerge(stores))
}

/** All that a disk holds now, on a disk of its own: with the same incarnation, or another one, as a restored backup has. */
export const copyOf = (disk: MemoryDisk, isRestored: boolean): MemoryDisk => ({
  ...disk,
  incarnation: isRestored ? makeDisk().incarnation : disk.incarnation,
  open: new Set(),
  journal: [...disk.journal],
  logs: new Map([...disk.logs].map(([key, log]) => [key, { ...log, positions: [...log.positions] }])),
  keys: new Map([...disk.keys].map(([node, keys]) => [node, new Map(keys)])),
  queues: new Map(disk.queues),
  cursors: new Map(disk.cursors),
  records: new Map([...disk.records].map(([node, records]) => [node, new Map(records)])),
})
