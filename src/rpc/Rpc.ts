/**
 * Calls between clients of the live plane, over direct messages, in the format of BUS/RT (`codec/payload.ts`): requests
 * that get a reply, requests that want none, and notifications. It works over any `ExchangeClient`, wherever it is
 * connected, and with any peer that speaks BUS/RT's RPC.
 *
 * Promises:
 * 1. A call ends: with its reply, or with a typed error. At the latest after its timeout.
 * 2. A call whose callee disconnects fails at once, with `CalleeGone`, wherever both are connected. (A node announces
 *    who leaves, see `exchange/departures.ts`; at brokers that do not, the timeout is what remains.)
 * 3. Only the client that was asked can answer, once. What else looks like a reply is ignored.
 * 4. A handler runs at most once for each call that was made, and calls are handled concurrently, up to a bound.
 * 5. Nothing that is handled or waited for keeps the connection from being read.
 * 6. A caller that is interrupted leaves nothing behind. Its callee goes on, for BUS/RT has no way of telling it.
 *
 * Of a call that failed with `CalleeGone`, `RpcTimeout` or `Disconnected` nobody knows whether it was handled. Where a
 * callee goes and comes again under the same name at the moment of the call, the call may count as one to the former.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidArgument } from "../domain/errors.ts"
import type { Disconnected } from "../domain/liveErrors.ts"
import type { ExchangeClient, Received, SendError } from "../exchange/Exchange.ts"
import type { CalleeGone, RpcError, RpcTimeout } from "./errors.ts"

/** A request, as its handler gets it. */
export interface RpcRequest {
  /** The whole name of the caller. */
  readonly sender: string
  readonly method: string
  /** By convention MessagePack, or nothing. */
  readonly params: Uint8Array
}

export interface RpcNotification {
  readonly sender: string
  readonly payload: Uint8Array
}

/**
 * Answers a request with bytes, by convention MessagePack, or fails with an error that the caller gets. A defect is
 * logged, and the caller gets no more than that there was one.
 */
export type RpcHandler<R = never> = (request: RpcRequest) => Effect.Effect<Uint8Array, RpcError, R>

export interface RpcOptions<R = never> {
  /** By method. */
  readonly handlers?: Readonly<Record<string, RpcHandler<R>>> | undefined
  /** For methods that have no handler of their own. Without it they are unknown. */
  readonly fallback?: RpcHandler<R> | undefined
  /** Without it notifications are ignored. */
  readonly onNotification?: ((notification: RpcNotification) => Effect.Effect<void, never, R>) | undefined
  /** Requests and notifications that are handled at a time; callers beyond get the error `busy`. By default 1,024. */
  readonly handledMax?: number | undefined
  /** Of a call that says nothing else. By default 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** How much waits in the `inbox`; what comes beyond is dropped, and counted. By default 8,192 frames, and 64 MiB. */
  readonly inboxFramesMax?: number | undefined
  readonly inboxBytesMax?: number | undefined
}

export interface CallOptions {
  /** Infinite for a call that may take for ever. */
  readonly timeout?: Duration.Input | undefined
  /** Do not let the request wait for company. By default false. */
  readonly isRealtime?: boolean | undefined
}

export type CallError = SendError | RpcError | RpcTimeout | CalleeGone

export interface RpcFigures {
  /** Calls that wait for their reply. */
  readonly calling: number
  /** Requests and notifications whose handlers run, or whose replies are not yet sent. */
  readonly handling: number
  /** Frames that the full `inbox` did not take. */
  readonly dropped: number
  /** Requests and notifications that were refused because too many were being handled. */
  readonly refused: number
}

export interface Rpc {
  readonly name: string
  /** The client underneath, to broadcast, publish and subscribe with. Its inbox is read here, so read `inbox` instead. */
  readonly client: ExchangeClient
  /**
   * What comes and is no RPC: broadcasts, publications, and messages of another kind. As the client's inbox it is for
   * one reader at a time, ends when the scope closes, and fails when the client is disconnected; but where nobody reads
   * it, what is newest is dropped.
   */
  readonly inbox: Stream.Stream<Received, Disconnected>
  readonly call: (
    target: string,
    method: string,
    params?: Uint8Array,
    options?: CallOptions,
  ) => Effect.Effect<Uint8Array, CallError>
  /** A request that wants no reply. It succeeds when the callee's buffer has it. */
  readonly callNoReply: (
    target: string,
    method: string,
    params?: Uint8Array,
    options?: { readonly isRealtime?: boolean | undefined },
  ) => Effect.Effect<void, SendError>
  /** It succeeds when the other's buffer has it. */
  readonly notify: (
    target: string,
    payload: Uint8Array | string,
    options?: { readonly isRealtime?: boolean | undefined },
  ) => Effect.Effect<void, SendError | InvalidArgument>
  readonly figures: Effect.Effect<RpcFigures>
}
