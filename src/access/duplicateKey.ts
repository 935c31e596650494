/**
 * Finds a key that an object of a JSON text has twice: `JSON.parse` keeps the last and says nothing, and in rules either
 * could be what was meant. The text is known to be JSON.
 */

/** One string, or one of the signs that open, close and separate. */
const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

interface Open {
  /** Of an object: the keys so far. */
  readonly keys: Set<string> | undefined
  /** Where it is. */
  readonly path: ReadonlyArray<PropertyKey>
  /** The key, or the index, that comes or is there now. */
  at: PropertyKey
}

/** The path of the first key that comes twice, or `undefined`. */
export const duplicateKey = (text: string): ReadonlyArray<PropertyKey> | undefined => {
  const open: Array<Open> = []
  let last = ""
  for (const [token] of text.matchAll(tokens)) {
    const inside = open.at(-1)
    switch (token) {
      case "{":
      case "[":
        open.push({
          keys: token === "{" ? new Set() : undefined,
          path: inside === undefined ? [] : [...inside.path, inside.at],
          at: 0,
        })
        break
      case "}":
      case "]":
        open.pop()
        break
      case ",":
        if (inside !== undefined && typeof inside.at === "number") inside.at += 1
        break
      case ":": {
        if (inside?.keys === undefined) break
        const key = JSON.parse(last) as string
        if (inside.keys.has(key)) return [...inside.path, key]
        inside.keys.add(key)
        inside.at = key
        break
      }
      default:
        last = token
    }
  }
  return undefined
}
