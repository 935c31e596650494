/**
 * The result codes of BUS/RT: what a handshake and an ack answer.
 */

export const ResultCode = {
  ok: 0x01,
  notRegistered: 0x71,
  data: 0x72,
  io: 0x73,
  other: 0x74,
  notSupported: 0x75,
  busy: 0x76,
  notDelivered: 0x77,
  timeout: 0x78,
  accessDenied: 0x79,
} as const

export type ResultCode = (typeof ResultCode)[keyof typeof ResultCode]

const names: ReadonlyMap<number, string> = new Map([
  [ResultCode.ok, "ok"],
  [ResultCode.notRegistered, "not registered"],
  [ResultCode.data, "invalid data"],
  [ResultCode.io, "input/output error"],
  [ResultCode.other, "other error"],
  [ResultCode.notSupported, "not supported"],
  [ResultCode.busy, "busy"],
  [ResultCode.notDelivered, "not delivered"],
  [ResultCode.timeout, "timed out"],
  [ResultCode.accessDenied, "access denied"],
])

/** What a code says, for people; peers may send any byte. */
export const resultName = (code: number): string => names.get(code) ?? `result 0x${code.toString(16).padStart(2, "0")}`

/** Why bytes are not what they should be, and the code to answer them with. */
export interface Malformed {
  readonly code: ResultCode
  /** A sentence without a full stop. */
  readonly reason: string
}
