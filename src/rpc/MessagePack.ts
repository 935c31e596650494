/**
 * MessagePack, which parameters and results of calls are by convention: a thin layer over `msgpackr` that keeps to what
 * every implementation understands, and that may read what strangers send.
 *
 * Read are nil, booleans, numbers, texts, bytes (`Uint8Array`, a view), arrays, timestamps (`Date`), and maps, which are
 * objects without a prototype, so that no key has a meaning of its own; keys that are numbers become texts. An integer
 * beyond 2⁵³ is a `bigint`. Nothing is allocated that what came could not fill; depth and number of values are bounded;
 * extensions other than timestamps are refused, among them those of `msgpackr` itself.
 *
 * Written are the same, and also Maps and Sets. `undefined` is nil; an integer is an integer up to 2⁵³, a bigint up to 64
 * bits.
 */
import * as Result from "effect/Result"
import { Packr, Unpackr } from "msgpackr"
import { problem } from "./internal/messagePackScan.ts"

/** As deep as arrays and maps may be within each other. */
export const depthMax = 64

/** As many values as there may be in what is read, keys among them. */
export const valuesMax = 1_000_000

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true })

// Its types do not know `auto`: a number where that is exact, a bigint otherwise.
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: "auto" as "number" })

/** What msgpackr would write as a float, or as bytes that are no UTF-8, made such that it does not. */
const prepared = (value: unknown, depth: number): unknown => {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && (value > 0xffffffff || value < -0x80000000) ? BigInt(value) : value
    case "string":
      return value.isWellFormed() ? value : value.toWellFormed()
    case "function":
    case "symbol":
      throw new TypeError(`MessagePack has nothing for a ${typeof value}`)
    case "object":
      break
    default:
      return value
  }
  if (value === null || value instanceof Date || ArrayBuffer.isView(value)) return value
  if (depth === depthMax) throw new RangeError(`MessagePack is written ${depthMax} levels deep, and no deeper`)
  const inner = (item: unknown): unknown => prepared(item, depth + 1)
  if (Array.isArray(value) || value instanceof Set) return Array.from(value as Iterable<unknown>, inner)
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return new Map(entries.map(([key, item]) => [inner(key), inner(item)]))
}

/** A value as bytes. Throws where there is none that could be written so, which is the writer's mistake. */
export const encode = (value: unknown): Uint8Array => packr.pack(prepared(value, 0))

const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = plain(value[i])
    return value
  }
  if (!(value instanceof Map)) return value
  const object: Record<string, unknown> = Object.create(null)
  for (const [key, item] of value) object[`${key}`] = plain(item)
  return object
}

/** The value that bytes stand for, or what is wrong with them, as a sentence without a full stop. */
export const decode = (bytes: Uint8Array): Result.Result<unknown, string> => {
  const wrong = problem(bytes, depthMax, valuesMax)
  return wrong === undefined ? Result.succeed(plain(unpackr.unpack(bytes))) : Result.fail(wrong)
}
