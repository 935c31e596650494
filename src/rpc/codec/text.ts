/**
 * Short names as bytes of UTF-8 and back. They are nearly always ASCII, which is quicker done here than by an encoder
 * that is called for a few bytes; the rest goes to one.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** As many characters as are put together at once. */
const asciiMax = 64

/** The text between two places; undefined where the bytes are not UTF-8. */
export const readText = (bytes: Uint8Array, at: number, end: number): string | undefined => {
  if (end - at <= asciiMax) {
    let text = ""
    let i = at
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (byte >= 0x80) break
      text += String.fromCharCode(byte)
    }
    if (i === end) return text
  }
  try {
    return decoder.decode(bytes.subarray(at, end))
  } catch {
    return undefined
  }
}

/** Writes a text where there is room for it. */
export const writeText = (text: string, bytes: Uint8Array, at: number): void => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) {
      encoder.encodeInto(text, bytes.subarray(at))
      return
    }
    bytes[at + i] = code
  }
}
