/**
 * What a backend provides, all over the same data: each backend's `layer` ends in a context of these.
 */
import * as Context from "effect/Context"
import { CursorStore } from "./CursorStore.ts"
import { LogStore } from "./LogStore.ts"
import { QueueStore } from "./QueueStore.ts"

export interface Stores {
  readonly logs: LogStore["Service"]
  readonly queues: QueueStore["Service"]
  readonly cursors: CursorStore["Service"]
}

/** The same as services. */
export type StoreServices = LogStore | QueueStore | CursorStore

export const toContext = ({ cursors, logs, queues }: Stores): Context.Context<StoreServices> =>
  Context.make(LogStore, logs).pipe(Context.add(QueueStore, queues), Context.add(CursorStore, cursors))

export const fromContext = (context: Context.Context<StoreServices>): Stores => ({
  logs: Context.get(context, LogStore),
  queues: Context.get(context, QueueStore),
  cursors: Context.get(context, CursorStore),
})
