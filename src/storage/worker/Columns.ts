/**
 * Columns of a packed batch: what a value of each record is, for all records at once.
 *
 * Between threads, an array of objects is cloned object by object, which costs more than storing them. A column is one
 * long string, one buffer or one typed array instead: strings and numbers are cloned in one go, and payloads move
 * without being copied again.
 */
import { type Headers, noHeaders, noPayload } from "../../domain/Message.ts"
import { headersFromText, headersToText } from "../parts/Content.ts"

/** All strings, one after another, and their lengths in UTF-16 units: one number where they are all equally long. */
export interface TextColumn {
  readonly joined: string
  readonly lengths: number | Uint32Array
}

export const packText = (values: ReadonlyArray<string>): TextColumn => {
  const first = values[0]?.length ?? 0
  const lengths = new Uint32Array(values.length)
  let isEven = true
  for (let i = 0; i < values.length; i++) {
    const { length } = values[i]!
    lengths[i] = length
    if (length !== first) isEven = false
  }
  return { joined: values.join(""), lengths: isEven ? first : lengths }
}

/** Hands out the strings of a column in their order. */
export const textReader = ({ joined, lengths }: TextColumn): (() => string) => {
  let at = 0
  let index = 0
  if (typeof lengths === "number") return () => joined.slice(at, (at += lengths))
  return () => joined.slice(at, (at += lengths[index++]!))
}

/** All payloads, one after another, in a buffer that can be transferred. */
export interface PayloadColumn {
  readonly bytes: ArrayBuffer
  readonly lengths: Uint32Array
}

export const packPayloads = (payloads: ReadonlyArray<Uint8Array>): PayloadColumn => {
  const lengths = new Uint32Array(payloads.length)
  let total = 0
  for (let i = 0; i < payloads.length; i++) {
    lengths[i] = payloads[i]!.byteLength
    total += payloads[i]!.byteLength
  }
  // Not from the pool, which could not be transferred, and not filled with zeros first.
  const target = Buffer.allocUnsafeSlow(total)
  let at = 0
  for (let i = 0; i < payloads.length;) {
    const { buffer, byteLength, byteOffset } = payloads[i++]!
    // What lies one after the other, as payloads of a page do, is copied in one go.
    let end = byteOffset + byteLength
    while (i < payloads.length && payloads[i]!.byteOffset === end && payloads[i]!.buffer === buffer)
      end += lengths[i++]!
    target.set(new Uint8Array(buffer, byteOffset, end - byteOffset), at)
    at += end - byteOffset
  }
  return { bytes: target.buffer, lengths }
}

/** Hands out the payloads of a column in their order, as views of its buffer, which they keep alive. */
export const payloadReader = ({ bytes, lengths }: PayloadColumn): (() => Uint8Array) => {
  let at = 0
  let index = 0
  return () => {
    const length = lengths[index++]!
    if (length === 0) return noPayload
    const payload = new Uint8Array(bytes, at, length)
    at += length
    return payload
  }
}

/** Headers as text; absent where no record has any. */
export type HeadersColumn = ReadonlyArray<string | null> | undefined

export const packHeaders = (headers: ReadonlyArray<Headers>): HeadersColumn =>
  headers.every((one) => one === noHeaders) ? undefined : headers.map(headersToText)

export const headersAt = (column: HeadersColumn, index: number): Headers =>
  column === undefined ? noHeaders : headersFromText(column[index]!)

/** A value of few kinds: each kind once, and for each record which; just the kind where there is only one. */
export interface NamedColumn<A> {
  readonly kinds: ReadonlyArray<A>
  readonly which: Uint32Array | undefined
}

/** @param keyOf equal for equal kinds only */
export const packNamed = <A>(values: ReadonlyArray<A>, keyOf: (value: A) => string): NamedColumn<A> => {
  const kinds: Array<A> = []
  const indexes = new Map<string, number>()
  const which = new Uint32Array(values.length)
  let last: A | undefined
  let index = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    // Runs of the very same value are the rule.
    if (i === 0 || value !== last) {
      const key = keyOf(value)
      const known = indexes.get(key)
      index = known ?? kinds.length
      if (known === undefined) {
        indexes.set(key, index)
        kinds.push(value)
      }
      last = value
    }
    which[i] = index
  }
  return { kinds, which: kinds.length > 1 ? which : undefined }
}

export const namedAt = <A>({ kinds, which }: NamedColumn<A>, index: number): A => kinds[which?.[index] ?? 0]!

/** Whole numbers up to 2^53: one where they are all equal. */
export type NumberColumn = number | Float64Array

export const packNumbers = (values: ReadonlyArray<number>): NumberColumn => {
  const first = values[0] ?? 0
  // A loop: the typed array's own `from` takes 25 times as long.
  const column = new Float64Array(values.length)
  let areEqual = true
  for (let i = 0; i < values.length; i++) {
    column[i] = values[i]!
    if (values[i] !== first) areEqual = false
  }
  return areEqual ? first : column
}

export const numberAt = (column: NumberColumn, index: number): number =>
  typeof column === "number" ? column : column[index]!
