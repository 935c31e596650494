/**
 * A value that came in MessagePack, as JSON: integers beyond 2⁵³ with all their digits, bytes as `{"base64": …}`.
 */

interface RawJson {
  readonly rawJSON: (text: string) => unknown
}

/** Node 22 has it; the library of TypeScript does not. */
const { rawJSON } = JSON as unknown as RawJson

/** What JSON has something for. */
const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return rawJSON(value.toString())
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null || value instanceof Date) return value
  const object: Record<string, unknown> = Object.create(null)
  for (const [key, item] of Object.entries(value)) object[key] = plain(item)
  return object
}

export const format = (value: unknown): string => JSON.stringify(plain(value))
