/**
 * Calls whose parameters and results are values instead of bytes: MessagePack on the way, decoded by a Schema at the
 * edge, once. Parameters that are no MessagePack are answered with a parse error, others than were agreed with invalid
 * parameters.
 *
 * An empty payload is `undefined`: by convention a method without parameters is called with none.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ErrorCode } from "./codec/payload.ts"
import { ResultInvalid, rpcError, type RpcError } from "./errors.ts"
import * as MessagePack from "./MessagePack.ts"
import type { CallError, CallOptions, Rpc, RpcHandler, RpcRequest } from "./Rpc.ts"

const nothing = new Uint8Array(0)

const bytesOf = (value: unknown): Uint8Array => (value === undefined ? nothing : MessagePack.encode(value))

const valueOf = (bytes: Uint8Array): Result.Result<unknown, string> =>
  bytes.length === 0 ? Result.succeed(undefined) : MessagePack.decode(bytes)

/** A handler that gets its parameters as the Schema has them, and answers with a value. */
export const valueHandler = <S extends Schema.Codec<unknown, unknown, unknown, unknown>, A, R>(
  params: S,
  handle: (params: S["Type"], request: RpcRequest) => Effect.Effect<A, RpcError, R>,
): RpcHandler<R | S["DecodingServices"]> => {
  const decode = Schema.decodeUnknownEffect(params)
  return (request) => {
    const value = valueOf(request.params)
    if (Result.isFailure(value)) return Effect.fail(rpcError(ErrorCode.parse, value.failure))
    return decode(value.success).pipe(
      Effect.mapError((error) => rpcError(ErrorCode.invalidParams, error.message)),
      Effect.flatMap((params) => handle(params, request)),
      Effect.map(bytesOf),
    )
  }
}

/** Calls with a value, and gets what the callee answers as the Schema has it. */
export const callValue = <S extends Schema.Codec<unknown, unknown, unknown, unknown>>(
  rpc: Rpc,
  target: string,
  method: string,
  params: unknown,
  result: S,
  options?: CallOptions,
): Effect.Effect<S["Type"], CallError | ResultInvalid, S["DecodingServices"]> => {
  const invalid = (reason: string): ResultInvalid =>
    new ResultInvalid({ target, method, message: `what ${target} answered to ${method} is not as agreed: ${reason}` })
  return rpc.call(target, method, bytesOf(params), options).pipe(
    Effect.flatMap((bytes) => {
      const value = valueOf(bytes)
      if (Result.isFailure(value)) return Effect.fail(invalid(value.failure))
      return Effect.mapError(Schema.decodeUnknownEffect(result)(value.success), (error) => invalid(error.message))
    }),
  )
}
