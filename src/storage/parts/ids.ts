/**
 * Ids of messages or items for a whole commit: random UUIDs (version 4), written into one text and cut out of it.
 *
 * `crypto.randomUUID` builds each one out of twenty pieces, which the garbage collector then carries along for as long
 * as the message is on its way: measured with 1,000 publishers, a publish took 2 µs more of CPU with it.
 */
import { randomFillSync } from "node:crypto"

const uuidBytes = 16
const uuidLength = 36
const dash = 0x2d
/** The first and the second hexadecimal digit of each byte. */
const highDigits = Buffer.alloc(256, Array.from({ length: 256 }, (_, byte) => (byte >> 4).toString(16)).join(""))
const lowDigits = Buffer.alloc(256, Array.from({ length: 256 }, (_, byte) => (byte & 0x0f).toString(16)).join(""))

/** Where dashes stand: before these bytes. */
const isAfterDash = (byte: number): boolean => byte === 4 || byte === 6 || byte === 8 || byte === 10

/** Random bytes made ahead: asking for a few costs 10 µs each time. Each is used once. */
const ahead = Buffer.allocUnsafe(64 * uuidBytes)
let used = ahead.length

const randomBytes = (length: number): Buffer => {
  if (length > ahead.length) return randomFillSync(Buffer.allocUnsafe(length))
  if (used + length > ahead.length) {
    randomFillSync(ahead)
    used = 0
  }
  return ahead.subarray(used, (used += length))
}

export const makeIds = (count: number): ReadonlyArray<string> => {
  const random = randomBytes(count * uuidBytes)
  const text = Buffer.allocUnsafe(count * uuidLength)
  let at = 0
  for (let first = 0; first < random.length; first += uuidBytes) {
    // The version, and the variant of RFC 9562.
    random[first + 6] = (random[first + 6]! & 0x0f) | 0x40
    random[first + 8] = (random[first + 8]! & 0x3f) | 0x80
    for (let byte = 0; byte < uuidBytes; byte++) {
      if (isAfterDash(byte)) text[at++] = dash
      const value = random[first + byte]!
      text[at++] = highDigits[value]!
      text[at++] = lowDigits[value]!
    }
  }
  const all = text.toString("latin1")
  const ids: Array<string> = []
  for (let from = 0; from < all.length; from += uuidLength) ids.push(all.slice(from, from + uuidLength))
  return ids
}
