/**
 * RPC, as the payload of a direct message: a notification, a request, a reply or an error reply, as BUS/RT writes them.
 * Integers are little-endian; parameters and results are MessagePack by convention, and bytes here.
 */
import { byteLength } from "../../domain/utf8.ts"
import { allocate, viewFrom } from "./memory.ts"
import { readText, writeText } from "./text.ts"

export const PayloadKind = { notification: 0x00, request: 0x01, reply: 0x11, errorReply: 0x12 } as const

/** The longest name of a method, in bytes of UTF-8. */
export const methodBytesMax = 1024

/** The largest call id. An id of 0 wants no reply. */
export const callIdMax = 0xffffffff

export const ErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  notFound: -32001,
  /** `busy` of BUS/RT, as `transportErrorCode` makes it: the callee has too many calls under way. */
  busy: -32118,
  /** `not registered`, likewise: the callee has stopped answering before it was done. */
  gone: -32113,
} as const

const names: ReadonlyMap<number, string> = new Map([
  [ErrorCode.parse, "parse error"],
  [ErrorCode.invalidRequest, "invalid request"],
  [ErrorCode.methodNotFound, "method not found"],
  [ErrorCode.invalidParams, "invalid parameters"],
  [ErrorCode.internal, "internal error"],
  [ErrorCode.notFound, "not found"],
  [ErrorCode.busy, "busy"],
  [ErrorCode.gone, "not registered"],
])

/** What a code says, for people; applications have codes of their own. */
export const errorName = (code: number): string => names.get(code) ?? `error ${code}`

/** Whether an error reply can carry the code: it has 16 bits and a sign. */
export const isErrorCode = (code: number): boolean => Number.isInteger(code) && code >= -32768 && code <= 32767

/** The code of a call that the broker could not deliver, from the result code of BUS/RT. */
export const transportErrorCode = (result: number): number => -32000 - result

export type Payload =
  | { readonly type: "notification"; readonly payload: Uint8Array }
  | { readonly type: "request"; readonly callId: number; readonly method: string; readonly params: Uint8Array }
  | { readonly type: "reply"; readonly callId: number; readonly result: Uint8Array }
  | { readonly type: "errorReply"; readonly callId: number; readonly code: number; readonly error: Uint8Array }
  /** What begins like none of these. */
  | { readonly type: "foreign" }
  /** What begins like one of these and is none; the call id is 0 where no call can be answered. */
  | { readonly type: "invalid"; readonly callId: number; readonly code: number; readonly reason: string }

const callIdAt = 1
const afterCallId = 5
const afterCode = 7

const invalid = (reason: string, callId = 0): Payload => ({
  type: "invalid",
  callId,
  code: ErrorCode.invalidRequest,
  reason,
})

const readCallId = (bytes: Uint8Array): number =>
  (bytes[callIdAt]! | (bytes[callIdAt + 1]! << 8) | (bytes[callIdAt + 2]! << 16) | (bytes[callIdAt + 3]! << 24)) >>> 0

const methodEnd = (bytes: Uint8Array): number => {
  const last = Math.min(bytes.length, afterCallId + methodBytesMax + 1)
  for (let i = afterCallId; i < last; i++) if (bytes[i] === 0) return i
  return -1
}

/** What a payload says. What is in it are views of it. */
export const decode = (payload: Uint8Array): Payload => {
  const kind = payload[0]
  if (kind === PayloadKind.notification) return { type: "notification", payload: viewFrom(payload, 1) }
  if (kind !== PayloadKind.request && kind !== PayloadKind.reply && kind !== PayloadKind.errorReply) {
    return { type: "foreign" }
  }
  if (payload.length < afterCallId) return invalid("the call id is cut off")
  const callId = readCallId(payload)
  if (kind === PayloadKind.reply) return { type: "reply", callId, result: viewFrom(payload, afterCallId) }
  if (kind === PayloadKind.errorReply) {
    if (payload.length < afterCode) return invalid("the error code is cut off")
    const code = ((payload[afterCallId]! | (payload[afterCallId + 1]! << 8)) << 16) >> 16
    return { type: "errorReply", callId, code, error: viewFrom(payload, afterCode) }
  }
  const nul = methodEnd(payload)
  const method = nul === -1 ? undefined : readText(payload, afterCallId, nul)
  if (method === undefined) return invalid("the method is a name in UTF-8 that ends in NUL", callId)
  return { type: "request", callId, method, params: viewFrom(payload, nul + 1) }
}

const withCallId = (kind: number, callId: number, length: number): Uint8Array => {
  if (!Number.isInteger(callId) || callId < 0 || callId > callIdMax) {
    throw new RangeError(`a call id is from 0 to ${callIdMax}: ${callId}`)
  }
  const bytes = allocate(length)
  bytes[0] = kind
  bytes[callIdAt] = callId
  bytes[callIdAt + 1] = callId >>> 8
  bytes[callIdAt + 2] = callId >>> 16
  bytes[callIdAt + 3] = callId >>> 24
  return bytes
}

export const notification = (payload: Uint8Array): Uint8Array => {
  const bytes = allocate(1 + payload.length)
  bytes[0] = PayloadKind.notification
  bytes.set(payload, 1)
  return bytes
}

/** What is wrong with the name of a method, as a sentence without a full stop, or `undefined`. */
export const methodProblem = (method: string): string | undefined => {
  if (method.includes("\0")) return `the name of a method has no NUL: ${JSON.stringify(method)}`
  if (!method.isWellFormed()) return `the name of a method is well-formed Unicode: ${JSON.stringify(method)}`
  if (method.length <= methodBytesMax / 3 || byteLength(method) <= methodBytesMax) return undefined
  return `the name of a method is at most ${methodBytesMax} bytes long, this one has ${byteLength(method)}`
}

/** The name of the method obeys `methodProblem`. */
export const request = (callId: number, method: string, params: Uint8Array): Uint8Array => {
  const methodBytes = byteLength(method)
  const bytes = withCallId(PayloadKind.request, callId, afterCallId + methodBytes + 1 + params.length)
  writeText(method, bytes, afterCallId)
  bytes.set(params, afterCallId + methodBytes + 1)
  return bytes
}

export const reply = (callId: number, result: Uint8Array): Uint8Array => {
  const bytes = withCallId(PayloadKind.reply, callId, afterCallId + result.length)
  bytes.set(result, afterCallId)
  return bytes
}

/** The code obeys `isErrorCode`. */
export const errorReply = (callId: number, code: number, error: Uint8Array): Uint8Array => {
  if (!isErrorCode(code)) throw new RangeError(`the code of an error has 16 bits and a sign: ${code}`)
  const bytes = withCallId(PayloadKind.errorReply, callId, afterCode + error.length)
  bytes[afterCallId] = code
  bytes[afterCallId + 1] = code >>> 8
  bytes.set(error, afterCode)
  return bytes
}
