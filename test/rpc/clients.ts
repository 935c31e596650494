/** Clients with RPC, as tests of it need them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Exchange from "../../src/exchange/index.ts"
import * as Rpc from "../../src/rpc/index.ts"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/**
 * A client with RPC. It can `leave`, as one that closes its scope does, which answers what it has not, and `vanish`, as
 * one whose connection is lost.
 */
export const joined = <R = never>(name: string, options?: Rpc.RpcOptions<R>) =>
  Effect.gen(function* () {
    const { connect } = yield* Exchange.Exchange
    const connection = yield* Scope.fork(yield* Effect.scope)
    const client = yield* Scope.provide(connect(name), connection)
    const scope = yield* Scope.fork(yield* Effect.scope)
    const rpc = yield* Scope.provide(Rpc.make(client, { timeout: "1 minute", ...options }), scope)
    const vanish = Scope.close(connection, Exit.void)
    return { rpc, client, leave: Effect.andThen(Scope.close(scope, Exit.void), vanish), vanish }
  })

/** Waits until a condition holds, at whatever it takes. */
export const until = <R>(condition: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(condition, (holds) => (holds ? Effect.void : Effect.andThen(Effect.sleep(1), until(condition))))

/** Runs with clients of a new exchange. */
export const within =
  <S, E>(layer: () => Layer.Layer<S, E>) =>
  <A, E2>(effect: Effect.Effect<A, E2, S | Scope.Scope>): Effect.Effect<A, E | E2> =>
    Effect.scoped(effect).pipe(Effect.provide(layer()))
