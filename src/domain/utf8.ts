/** Texts in UTF-8, in any runtime. */

const encoder = new TextEncoder()

/** A payload as bytes: a text is written, bytes are what they are. */
export const toBytes = (payload: Uint8Array | string): Uint8Array =>
  typeof payload === "string" ? encoder.encode(payload) : payload

/**
 * How many bytes a text is, counted, for texts are short here; half of a surrogate pair counts as the replacement
 * character that is written for it.
 */
export const byteLength = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) {
      bytes += 1
      continue
    }
    bytes += 2
    // A pair is four bytes, two for each of its halves.
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(i + 1)
      if (next >= 0xdc00 && next < 0xe000) i++
    }
  }
  return bytes
}
