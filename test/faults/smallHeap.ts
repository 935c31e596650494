/**
 * Flags for a process whose memory is measured. V8 lets garbage lie as long as it has room, hundreds of MiB of it under
 * load; with little room, what a process takes from the system is about what it needs.
 */
export const smallHeap = ["--expose-gc", "--max-old-space-size=128", "--max-semi-space-size=4"] as const
