/**
 * Looks through MessagePack before it is read: whether it is whole, how deep and how much, and whether it has only what
 * may be read. One pass over the bytes, which allocates nothing that grows with what they claim.
 */

const timestamp = 0xff

/** What stands after the byte that a value begins with. */
type Kind =
  /** So many bytes. */
  | { readonly type: "scalar"; readonly bytes: number }
  /** A length of so many bytes, and as many bytes. */
  | { readonly type: "sized"; readonly lengthBytes: number; readonly isExtension: boolean }
  /** The number of values; for a map, of pairs. */
  | { readonly type: "few"; readonly count: number; readonly isMap: boolean }
  /** The same, in so many bytes. */
  | { readonly type: "many"; readonly lengthBytes: number; readonly isMap: boolean }
  | { readonly type: "extension"; readonly bytes: number }
  | { readonly type: "unused" }

const kindOf = (token: number): Kind => {
  if (token < 0x80 || token >= 0xe0) return { type: "scalar", bytes: 0 }
  if (token < 0x90) return { type: "few", count: token & 0x0f, isMap: true }
  if (token < 0xa0) return { type: "few", count: token & 0x0f, isMap: false }
  if (token < 0xc0) return { type: "scalar", bytes: token & 0x1f }
  if (token === 0xc1) return { type: "unused" }
  if (token < 0xc4) return { type: "scalar", bytes: 0 }
  if (token < 0xc7) return { type: "sized", lengthBytes: 1 << (token - 0xc4), isExtension: false }
  if (token < 0xca) return { type: "sized", lengthBytes: 1 << (token - 0xc7), isExtension: true }
  if (token < 0xcc) return { type: "scalar", bytes: 4 << (token - 0xca) }
  if (token < 0xd0) return { type: "scalar", bytes: 1 << (token - 0xcc) }
  if (token < 0xd4) return { type: "scalar", bytes: 1 << (token - 0xd0) }
  if (token < 0xd9) return { type: "extension", bytes: 1 << (token - 0xd4) }
  if (token < 0xdc) return { type: "sized", lengthBytes: 1 << (token - 0xd9), isExtension: false }
  return { type: "many", lengthBytes: 2 << (token & 1), isMap: token >= 0xde }
}

const kinds: ReadonlyArray<Kind> = Array.from({ length: 256 }, (_, token) => kindOf(token))

const isTextOrNumber = (token: number): boolean =>
  token < 0x80 ||
  token >= 0xe0 ||
  (token >= 0xa0 && token < 0xc0) ||
  (token >= 0xca && token < 0xd4) ||
  (token >= 0xd9 && token < 0xdc)

const cutOff = "it is cut off"

/** What is wrong with bytes that should be one value, as a sentence without a full stop, or `undefined`. */
export const problem = (bytes: Uint8Array, depthMax: number, valuesMax: number): string | undefined => {
  const { length } = bytes
  /** Values that are still to come, of the innermost array or map, and of those around it. */
  let left = 1
  let isMap = false
  const around: Array<readonly [left: number, isMap: boolean]> = []
  let at = 0
  let values = 0

  const number = (size: number): number => {
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0)
    at += size
    return value
  }
  const extension = (size: number): string | undefined => {
    const type = bytes[at++]
    at += size
    if (type !== undefined && (type !== timestamp || (size !== 4 && size !== 8 && size !== 12))) {
      return `there is no extension ${(type << 24) >> 24} of ${size} bytes`
    }
    return undefined
  }

  while (true) {
    while (left === 0) {
      const outer = around.pop()
      if (outer === undefined) return at === length ? undefined : "more follows after its end"
      ;[left, isMap] = outer
    }
    // In a map, keys are what an even number of values is left with.
    const isKey = isMap && left % 2 === 0
    left--
    if (++values > valuesMax) return `it has more than ${valuesMax} values`
    const token = bytes[at++]
    if (token === undefined) return cutOff
    if (isKey && !isTextOrNumber(token)) return "a key of a map is a text or a number"
    const kind = kinds[token]!
    switch (kind.type) {
      case "scalar":
        at += kind.bytes
        break
      case "sized": {
        const size = number(kind.lengthBytes)
        const wrong = kind.isExtension ? extension(size) : undefined
        if (wrong !== undefined) return wrong
        if (!kind.isExtension) at += size
        break
      }
      case "extension": {
        const wrong = extension(kind.bytes)
        if (wrong !== undefined) return wrong
        break
      }
      case "unused":
        return "the byte 0xc1 is never used"
      default: {
        const count = kind.type === "few" ? kind.count : number(kind.lengthBytes)
        const inside = kind.isMap ? 2 * count : count
        // Each takes a byte at least.
        if (inside > length - at) return cutOff
        if (around.length === depthMax) return `it is more than ${depthMax} levels deep`
        around.push([left, isMap])
        left = inside
        isMap = kind.isMap
      }
    }
    if (at > length) return cutOff
  }
}
