/**
 * RPC, as the payload of a direct message: a notification, a request, a reply or an error reply. Integers are
 * little-endian; parameters and results are MessagePack by convention, and bytes here.
 */
import { nameBytesMax, nameEnd, readName } from "./names.ts"
import type { ResultCode } from "./results.ts"

export const RpcKind = { notification: 0x00, request: 0x01, reply: 0x11, errorReply: 0x12 } as const

export const RpcErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  notFound: -32001,
} as const

const names: ReadonlyMap<number, string> = new Map([
  [RpcErrorCode.parse, "parse error"],
  [RpcErrorCode.invalidRequest, "invalid request"],
  [RpcErrorCode.methodNotFound, "method not found"],
  [RpcErrorCode.invalidParams, "invalid parameters"],
  [RpcErrorCode.internal, "internal error"],
  [RpcErrorCode.notFound, "not found"],
])

/** What a code says, for people; applications have codes of their own. */
export const rpcErrorName = (code: number): string => names.get(code) ?? `error ${code}`

/** The code of a call that the broker could not deliver. */
export const transportErrorCode = (result: ResultCode): number => -32000 - result

export type RpcPayload =
  | { readonly type: "notification"; readonly payload: Buffer }
  /** A call id of 0 wants no reply. */
  | { readonly type: "request"; readonly callId: number; readonly method: string; readonly params: Buffer }
  | { readonly type: "reply"; readonly callId: number; readonly result: Buffer }
  | { readonly type: "errorReply"; readonly callId: number; readonly code: number; readonly error: Buffer }
  /** What is none of these; the call id is 0 where there is none to be read, or no call to be answered. */
  | { readonly type: "invalid"; readonly callId: number; readonly code: number; readonly reason: string }

const callIdAt = 1
const afterCallId = 5
const afterCode = 7

const invalid = (reason: string, callId = 0): RpcPayload => ({
  type: "invalid",
  callId,
  code: RpcErrorCode.invalidRequest,
  reason,
})

/** What a payload says. What is in it are views of it. */
export const decode = (payload: Buffer): RpcPayload => {
  const kind = payload[0]
  if (kind === undefined) return invalid("an RPC payload is not empty")
  if (kind === RpcKind.notification) return { type: "notification", payload: payload.subarray(1) }
  if (kind !== RpcKind.request && kind !== RpcKind.reply && kind !== RpcKind.errorReply) {
    return invalid(`there is no kind of RPC payload 0x${kind.toString(16)}`)
  }
  if (payload.length < afterCallId) return invalid("the call id is cut off")
  const callId = payload.readUInt32LE(callIdAt)
  if (kind === RpcKind.reply) return { type: "reply", callId, result: payload.subarray(afterCallId) }
  if (kind === RpcKind.errorReply) {
    if (payload.length < afterCode) return invalid("the error code is cut off")
    return { type: "errorReply", callId, code: payload.readInt16LE(afterCallId), error: payload.subarray(afterCode) }
  }
  const nul = nameEnd(payload, afterCallId, payload.length)
  const method = nul === -1 ? undefined : readName(payload, afterCallId, nul)
  if (method === undefined) return invalid("the method is a name in UTF-8 that ends in NUL", callId)
  return { type: "request", callId, method, params: payload.subarray(nul + 1) }
}

/** What stands before the payload of a notification. */
export const notificationHead: Uint8Array = Uint8Array.of(RpcKind.notification)

/** What stands before the parameters of a request. */
export const requestHead = (callId: number, method: string): Buffer => {
  const methodBytes = Buffer.byteLength(method)
  if (methodBytes > nameBytesMax || method.includes("\0")) {
    throw new RangeError(`a method is at most ${nameBytesMax} bytes long, without NUL: ${JSON.stringify(method)}`)
  }
  const head = Buffer.allocUnsafe(afterCallId + methodBytes + 1)
  head[0] = RpcKind.request
  head.writeUInt32LE(callId, callIdAt)
  head.write(method, afterCallId)
  head[afterCallId + methodBytes] = 0
  return head
}

/** What stands before the result of a call. */
export const replyHead = (callId: number): Buffer => {
  const head = Buffer.allocUnsafe(afterCallId)
  head[0] = RpcKind.reply
  head.writeUInt32LE(callId, callIdAt)
  return head
}

/** What stands before the text, or the bytes, of a call's error. The code has 16 bits and a sign. */
export const errorReplyHead = (callId: number, code: number): Buffer => {
  const head = Buffer.allocUnsafe(afterCode)
  head[0] = RpcKind.errorReply
  head.writeUInt32LE(callId, callIdAt)
  head.writeInt16LE(code, afterCallId)
  return head
}
