/**
 * What a message says, apart from where it is: equality of headers and payloads, and the digest by which a repeated
 * key's content is recognised when the message itself is deleted. Which trace a message was published in is not what it
 * says: a repeated publish may be part of another one.
 */
import { hash } from "node:crypto"
import { type Headers, noHeaders } from "../../domain/Message.ts"
import * as TraceContext from "../../domain/TraceContext.ts"

/** Whether two messages have the same headers, in whatever order. */
export const headersEqual = (a: Headers, b: Headers): boolean => {
  if (a === b) return true
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => a[name] === b[name])
}

/** Whether two payloads have the same bytes. */
export const payloadEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && Buffer.compare(a, b) === 0

/** Headers as text, the same for equal headers; `null` where there are none. */
export const headersToText = (headers: Headers): string | null => {
  if (headers === noHeaders) return null
  const names = Object.keys(headers)
  if (names.length === 0) return null
  // JSON.stringify with a list of names would write integer-like names first, as objects do: an array keeps the order.
  return JSON.stringify(names.toSorted().map((name) => [name, headers[name]]))
}

/** The inverse of `headersToText`. The text is our own, so it is trusted. */
export const headersFromText = (text: string | null): Headers => {
  if (text === null) return noHeaders
  const headers = Object.create(null) as Record<string, string>
  for (const [name, value] of JSON.parse(text) as Array<[string, string]>) headers[name] = value
  return headers
}

/** The same for a text that somebody else wrote; `undefined` where it is not what `headersToText` would have written. */
export const headersFromForeign = (text: string | null): Headers | undefined => {
  if (text === null) return noHeaders
  try {
    const headers = headersFromText(text)
    const areTexts = Object.keys(headers).every((name) => {
      const value: unknown = headers[name]
      return name.isWellFormed() && typeof value === "string" && value.isWellFormed()
    })
    return areTexts && headersToText(headers) === text ? headers : undefined
  } catch {
    return undefined
  }
}

/** What a message said: itself, or the digest that is left of it when it was deleted. */
export type KnownContent = { readonly headers: Headers; readonly payload: Uint8Array } | Uint8Array

/** Whether headers and payload are those of a known content, whatever the trace. */
export const contentEqual = (known: KnownContent, headers: Headers, payload: Uint8Array): boolean =>
  known instanceof Uint8Array
    ? payloadEqual(known, contentDigest(headers, payload))
    : headersEqual(TraceContext.without(known.headers), TraceContext.without(headers)) &&
      payloadEqual(known.payload, payload)

/** Length of `contentDigest`, in bytes. */
const digestBytes = 17

/**
 * A digest of headers and payload: one byte that tells whether there are headers, then 16 bytes of SHA-256 (enough
 * against accidents and against a publisher who would fool only himself).
 */
export const contentDigest = (headers: Headers, payload: Uint8Array): Uint8Array => {
  const digest = new Uint8Array(digestBytes)
  const text = headersToText(TraceContext.without(headers))
  if (text === null) {
    digest.set(hash("sha256", payload, "buffer").subarray(0, digestBytes - 1), 1)
  } else {
    const both = Buffer.concat([hash("sha256", text, "buffer"), hash("sha256", payload, "buffer")])
    digest[0] = 1
    digest.set(hash("sha256", both, "buffer").subarray(0, digestBytes - 1), 1)
  }
  return digest
}
