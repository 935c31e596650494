/**
 * What the exchange answers, in the result codes of BUS/RT.
 */
import type { Outcome, Refusal, StoreFailure } from "../../../exchange/index.ts"
import { ResultCode } from "../codec/results.ts"

const codes: Readonly<Record<Outcome, ResultCode>> = {
  ok: ResultCode.ok,
  notRegistered: ResultCode.notRegistered,
  notDelivered: ResultCode.notDelivered,
  denied: ResultCode.accessDenied,
  tooMany: ResultCode.busy,
  notStored: ResultCode.io,
}

const storeCodes: Readonly<Record<StoreFailure["_tag"], ResultCode>> = {
  InvalidArgument: ResultCode.data,
  MessageTooLarge: ResultCode.data,
  KeyConflict: ResultCode.data,
  NotPermitted: ResultCode.accessDenied,
  StorageFailed: ResultCode.io,
  StorageFull: ResultCode.io,
  Unavailable: ResultCode.busy,
  // Nobody knows: what a client does about an answer that does not come is right here too.
  OutcomeUnknown: ResultCode.timeout,
}

export const codeOf = (outcome: Outcome, failure?: StoreFailure): ResultCode =>
  failure === undefined ? codes[outcome] : storeCodes[failure._tag]

const refusals: Readonly<Record<Refusal["reason"], ResultCode>> = {
  invalid: ResultCode.data,
  taken: ResultCode.busy,
  primaryMissing: ResultCode.notRegistered,
}

export const codeOfRefusal = (refusal: Refusal): ResultCode => refusals[refusal.reason]
