/**
 * Message ids for a whole commit: random UUIDs (version 4), as flat strings.
 *
 * `crypto.randomUUID` builds each one out of twenty pieces, which the garbage collector then carries along for as long
 * as the message is on its way: measured with 1,000 publishers, a publish took 3.4 µs of CPU with it and 1.4 µs with
 * these.
 */
import { randomFillSync } from "node:crypto"

const uuidBytes = 16
const uuidLength = 36
const dash = 0x2d
const hexDigits = Buffer.from("0123456789abcdef")

/** Where dashes stand: before these bytes. */
const isAfterDash = (byte: number): boolean => byte === 4 || byte === 6 || byte === 8 || byte === 10

export const makeIds = (count: number): ReadonlyArray<string> => {
  const random = randomFillSync(Buffer.allocUnsafe(count * uuidBytes))
  const text = Buffer.allocUnsafe(uuidLength)
  const ids: Array<string> = []
  for (let first = 0; first < random.length; first += uuidBytes) {
    // The version, and the variant of RFC 9562.
    random[first + 6] = (random[first + 6]! & 0x0f) | 0x40
    random[first + 8] = (random[first + 8]! & 0x3f) | 0x80
    let at = 0
    for (let byte = 0; byte < uuidBytes; byte++) {
      if (isAfterDash(byte)) text[at++] = dash
      const value = random[first + byte]!
      text[at++] = hexDigits[value >> 4]!
      text[at++] = hexDigits[value & 0x0f]!
    }
    ids.push(text.toString("latin1"))
  }
  return ids
}
