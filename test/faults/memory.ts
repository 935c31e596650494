/**
 * The memory of this process. Garbage can be collected where Node was started with `--expose-gc`.
 */
import type { Memory } from "./slowSubscriber.ts"

export const memory = (collect: boolean): Memory => {
  if (collect) {
    if (globalThis.gc === undefined) throw new Error("start Node with --expose-gc")
    // What only finalizers let go is collected the second time.
    globalThis.gc()
    globalThis.gc()
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, held: heapUsed + external }
}
