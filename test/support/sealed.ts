/** Blocks as a peer that is broken, or lies, would seal them: whatever they hold, their checksum fits. */
import { crc32 } from "node:zlib"

/** Bytes of a block that were changed, with a checksum that fits. */
export const resealed = (content: Uint8Array, change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(content)
  change(bytes)
  if (bytes.byteLength >= 4) bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/** The same where what is changed is not in place. */
export const sealed = (content: Uint8Array): Buffer => resealed(content, () => undefined)
