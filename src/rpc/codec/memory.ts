/**
 * Memory for payloads, of any runtime. Those of a few hundred bytes share pieces of memory that are made ahead: to make
 * one for each costs more than all the rest of a call.
 */

const pieceBytes = 8192

/** What is larger has memory of its own. So one that is kept keeps no more than some others alive. */
const sharedBytesMax = 512

let piece = new ArrayBuffer(0)
let used = 0

/** Bytes that are all going to be written. */
export const allocate = (bytes: number): Uint8Array => {
  if (bytes > sharedBytesMax) return new Uint8Array(bytes)
  if (used + bytes > piece.byteLength) {
    piece = new ArrayBuffer(pieceBytes)
    used = 0
  }
  const made = new Uint8Array(piece, used, bytes)
  used += bytes
  return made
}

/** The bytes from one place to the end, not copied. Much faster than `subarray`, which asks for the kind of array first. */
export const viewFrom = (bytes: Uint8Array, at: number): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset + at, bytes.length - at)
