/**
 * Bytes and views of them, for any runtime: `Uint8Array`s.
 */

/**
 * Memory for bytes that are all going to be written. Node has some that is not filled with zeros before, which shows
 * where there is much of it.
 */
export const allocate: (bytes: number) => Uint8Array =
  typeof Buffer === "undefined"
    ? (bytes) => new Uint8Array(bytes)
    : (bytes) => new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)

/** The bytes between two places, not copied. Much faster than `subarray`, which asks for the kind of array first. */
export const view = (bytes: Uint8Array, at: number, end: number): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset + at, end - at)

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** The text between two places; what is not UTF-8 in it becomes replacement characters. Node's own way is faster. */
export const readText: (bytes: Uint8Array, at: number, end: number) => string =
  typeof Buffer === "undefined"
    ? (bytes, at, end) => decoder.decode(view(bytes, at, end))
    : (bytes, at, end) => asBuffer(bytes).toString("utf8", at, end)

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A number of 16 bits without a sign, little-endian. */
export const readU16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8)

/** A number of 32 bits without a sign, little-endian. */
export const readU32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0

/** Writes one. */
export const writeU32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
