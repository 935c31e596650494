/**
 * Handlers for methods of the contract: parameters as they were agreed, the caller with its rights, and errors on their
 * way.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { type RpcHandler, valueHandler } from "../../rpc/index.ts"
import { type BusErrorTag, encodeError } from "../contract/errors.ts"
import type { Failing, Method } from "../contract/Method.ts"
import type { Caller, Callers } from "./Callers.ts"

export type Handlers = Readonly<Record<string, RpcHandler>>

/** Makes handlers of one server. */
export const serving =
  (callers: Callers) =>
  <P extends Schema.Codec<unknown, unknown>, R extends Schema.Codec<unknown, unknown>, T extends BusErrorTag>(
    method: Method<P, R, T>,
    handle: (caller: Caller, params: P["Type"]) => Effect.Effect<R["Type"], Failing<T>>,
  ): Handlers => ({
    [method.name]: valueHandler<P, R["Type"], never>(method.params, (params, request) =>
      callers.get(request.sender).pipe(
        Effect.flatMap((caller) => caller.admitting(request.params.byteLength, handle(caller, params))),
        Effect.mapError(encodeError),
      ),
    ),
  })

export type Serve = ReturnType<typeof serving>
