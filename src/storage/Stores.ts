/**
 * What a backend provides, all over the same data: each backend's `layer` ends in a context of these.
 */
import * as Context from "effect/Context"
import { LogStore } from "./LogStore.ts"
import { QueueStore } from "./QueueStore.ts"

export interface Stores {
  readonly logs: LogStore["Service"]
  readonly queues: QueueStore["Service"]
}

export const toContext = ({ logs, queues }: Stores): Context.Context<LogStore | QueueStore> =>
  Context.make(LogStore, logs).pipe(Context.add(QueueStore, queues))

export const fromContext = (context: Context.Context<LogStore | QueueStore>): Stores => ({
  logs: Context.get(context, LogStore),
  queues: Context.get(context, QueueStore),
})
