/**
 * The quality of service that a frame asks for: two bits, which stand above the operation in a frame's flags.
 */

/** 0 no, 1 processed, 2 realtime, 3 realtime and processed. */
export type Qos = 0 | 1 | 2 | 3

export const Qos = { no: 0, processed: 1, realtime: 2, realtimeProcessed: 3 } as const

/** Whether the sender wants an ack. */
export const isProcessed = (qos: Qos): boolean => (qos & 1) !== 0

/** Whether the frame is to be flushed at once. */
export const isRealtime = (qos: Qos): boolean => (qos & 2) !== 0

const shift = 6

/** The two bits of a byte of flags. */
export const ofFlags = (flags: number): Qos => ((flags >>> shift) & 3) as Qos

export const toFlags = (qos: Qos): number => qos << shift
