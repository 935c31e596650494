/**
 * Starting the threads that stores run in.
 *
 * A thread loads the backend's module at once and is told later what to open. A program that will need a store may
 * therefore start its thread first thing, and load the rest of itself meanwhile: `preload`. This file loads nothing
 * itself, for that purpose.
 */
import { Worker } from "node:worker_threads"

/** What a thread is told when it starts. */
export interface ThreadData {
  /** The backend's module, as the text of a URL. */
  readonly module: string
}

const preloaded = new Map<string, Worker>()

const hostFile = import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js"

/**
 * Where the thread's new objects live, in MiB. V8 lets that grow to 192 MiB by itself, and pages of messages that nobody
 * needs any more then wait there, outside of the heap, until it is full.
 */
const youngMiB = 6

const start = (module: URL): Worker => {
  const data: ThreadData = { module: module.href }
  return new Worker(new URL(hostFile, import.meta.url), {
    name: "millrace-storage",
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: youngMiB },
  })
}

/** A thread that loads the backend's module: the one that was preloaded for it, or a new one. */
export const spawn = (module: URL): Worker => {
  const waiting = preloaded.get(module.href)
  if (waiting === undefined) return start(module)
  preloaded.delete(module.href)
  waiting.removeAllListeners()
  waiting.ref()
  return waiting
}

/** Starts a thread for the next store of this backend, ahead of time. It does not keep the process alive. */
export const preload = (module: URL): void => {
  if (preloaded.has(module.href)) return
  const worker = start(module)
  worker.unref()
  // One that cannot even start is forgotten; the store's own thread will fail in the same way, and say so.
  worker.on("error", () => preloaded.delete(module.href))
  worker.on("exit", () => preloaded.delete(module.href))
  preloaded.set(module.href, worker)
}
