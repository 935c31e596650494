/**
 * How databases find records by how their keys begin: keys are kept as bytes of UTF-8, which any character has, and whose
 * order is the same everywhere.
 */

/** A text as a database keeps it. */
export const bytesOf = (text: string): Buffer => Buffer.from(text)

export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()

/** No byte of UTF-8 is as great as this one. */
const greatest = 0xff

/** The keys that begin with a prefix lie from its bytes on, and before others. */
export const keyRange = (prefix: Buffer): { readonly from: Buffer; readonly before: Buffer } => {
  if (prefix.byteLength === 0) return { from: prefix, before: Buffer.from([greatest]) }
  const before = Buffer.from(prefix)
  before[before.length - 1]! += 1
  return { from: prefix, before }
}
