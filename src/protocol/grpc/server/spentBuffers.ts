/**
 * Buffers that were sent and are not needed any more. They are outside of V8's heap, and the objects that hold them are
 * small: V8 sees no reason to collect those before tens of MiB of buffers wait for it. Where the program lets us
 * (`--expose-gc`, as `millrace serve` is started), V8 is told to look at its youngest objects after so many bytes. That
 * takes less than a millisecond, and what is used again at once is still in the processor's cache.
 */

/** Bytes that may wait. */
const waitingBytesMax = 4 * 1024 * 1024

let waitingBytes = 0

/** Notes that buffers of so many bytes were made to be sent. */
export const noteSpent = (bytes: number): void => {
  waitingBytes += bytes
  if (waitingBytes < waitingBytesMax) return
  waitingBytes = 0
  globalThis.gc?.({ type: "minor", execution: "sync" })
}
