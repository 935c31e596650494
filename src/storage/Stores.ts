/**
 * What a backend provides, all over the same data: each backend's `layer` ends in a context of these.
 */
import * as Context from "effect/Context"
import { CursorStore } from "./CursorStore.ts"
import { alone, Holders } from "./Holders.ts"
import { LogStore } from "./LogStore.ts"
import { QueueStore } from "./QueueStore.ts"
import { RecordStore } from "./RecordStore.ts"

export interface Stores {
  readonly logs: LogStore["Service"]
  readonly queues: QueueStore["Service"]
  readonly cursors: CursorStore["Service"]
  readonly records: RecordStore["Service"]
  /** Absent where one process has the store to itself. */
  readonly holders?: Holders["Service"] | undefined
}

/** The same as services. */
export type StoreServices = LogStore | QueueStore | CursorStore | RecordStore | Holders

export const toContext = ({
  cursors,
  holders = alone,
  logs,
  queues,
  records,
}: Stores): Context.Context<StoreServices> =>
  Context.make(LogStore, logs).pipe(
    Context.add(QueueStore, queues),
    Context.add(CursorStore, cursors),
    Context.add(RecordStore, records),
    Context.add(Holders, holders),
  )

export const fromContext = (context: Context.Context<StoreServices>): Stores => ({
  logs: Context.get(context, LogStore),
  queues: Context.get(context, QueueStore),
  cursors: Context.get(context, CursorStore),
  records: Context.get(context, RecordStore),
  holders: Context.get(context, Holders),
})
