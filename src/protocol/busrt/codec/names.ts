/**
 * Names within frames: bytes of UTF-8 that end at a NUL or with the frame. What they name, and whether they obey its
 * rules, is not the codec's to judge; that they are short and UTF-8 is, for they become strings here.
 *
 * The same few names come again and again, in one frame after the other. Bytes that were read lately are the string that
 * was made of them then: to compare bytes is much faster than to make a string.
 */
import { readText, readU32, view } from "./memory.ts"

/** The longest name in a frame, in bytes: as long as the longest topic, filter, client name and mask. */
export const nameBytesMax = 1024

/** Where the name that begins at `at` ends: at its NUL; -1 where there is none before `end`, or the name is too long. */
export const nameEnd = (bytes: Uint8Array, at: number, end: number): number => {
  const last = Math.min(end, at + nameBytesMax + 1)
  for (let i = at; i < last; i++) if (bytes[i] === 0) return i
  return -1
}

interface Known {
  readonly bytes: Uint8Array
  readonly name: string
}

/** Longer names are not kept. With so many that are, all of them take about 256 KiB in a process. */
const knownBytesMax = 128
const knownBits = 10

/** By a hash of the bytes, for all connections: who sends by one is sent to by another. */
const known: Array<Known | undefined> = Array.from({ length: 2 ** knownBits }, () => undefined)

/** A name takes the place of another one every so many times only: where there are very many, few are worth keeping. */
const replaceEvery = 64
let misses = 0

/** Four bytes at a time: the multiplications, each of which waits for the one before, are what takes time. */
const placeOf = (bytes: Uint8Array, at: number, end: number): number => {
  let hash = end - at
  let i = at
  for (; i + 4 <= end; i += 4) hash = Math.imul(hash ^ readU32(bytes, i), 0x9e3779b1)
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1)
  return hash >>> (32 - knownBits)
}

const isAt = (name: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean => {
  const length = end - at
  if (name.length !== length) return false
  for (let i = 0; i < length; i++) if (name[i] !== bytes[at + i]) return false
  return true
}

const encoder = new TextEncoder()

const decode = (bytes: Uint8Array, at: number, end: number): string | undefined => {
  const name = readText(bytes, at, end)
  // Bytes that are not UTF-8 are read as replacement characters, which may also have been sent.
  return name.includes("\ufffd") && !isAt(encoder.encode(name), bytes, at, end) ? undefined : name
}

/** The name between two places; undefined where the bytes are not UTF-8. */
export const readName = (bytes: Uint8Array, at: number, end: number): string | undefined => {
  if (end - at > knownBytesMax) return decode(bytes, at, end)
  const place = placeOf(bytes, at, end)
  const found = known[place]
  if (found !== undefined && isAt(found.bytes, bytes, at, end)) return found.name
  const name = decode(bytes, at, end)
  if (name !== undefined && (found === undefined || ++misses % replaceEvery === 0)) {
    known[place] = { bytes: new Uint8Array(view(bytes, at, end)), name }
  }
  return name
}
