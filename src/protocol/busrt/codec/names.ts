/**
 * Names within frames: bytes of UTF-8 that end at a NUL or with the frame. What they name, and whether they obey its
 * rules, is not the codec's to judge; that they are short and UTF-8 is, for they become strings here.
 */
import { isUtf8 } from "node:buffer"

/** The longest name in a frame, in bytes: as long as the longest topic, filter, client name and mask. */
export const nameBytesMax = 1024

/** Where the name that begins at `at` ends: at its NUL; -1 where there is none before `end`, or the name is too long. */
export const nameEnd = (bytes: Buffer, at: number, end: number): number => {
  const last = Math.min(end, at + nameBytesMax + 1)
  for (let i = at; i < last; i++) if (bytes[i] === 0) return i
  return -1
}

/** The name between two places; undefined where the bytes are not UTF-8. */
export const readName = (bytes: Buffer, at: number, end: number): string | undefined => {
  const name = bytes.toString("utf8", at, end)
  // Bytes that are not UTF-8 are read as replacement characters, which may also have been sent.
  return name.includes("\ufffd") && !isUtf8(bytes.subarray(at, end)) ? undefined : name
}
