/**
 * RPC over a client of the live plane: takes over its inbox, and handles what comes in chunks.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidArgument } from "../domain/errors.ts"
import { Disconnected } from "../domain/liveErrors.ts"
import type { ExchangeClient, Received } from "../exchange/Exchange.ts"
import { inboxBytesMaxDefault, inboxFramesMaxDefault } from "../exchange/Exchange.ts"
import { ReceivedQueue } from "../exchange/ReceivedQueue.ts"
import * as Payload from "./codec/payload.ts"
import { rpcError } from "./errors.ts"
import { Calls, type Run } from "./internal/Calls.ts"
import { Handling } from "./internal/Handling.ts"
import { toBytes } from "../domain/utf8.ts"
import type { Rpc, RpcOptions } from "./Rpc.ts"

export const handledMaxDefault = 1024
export const timeoutDefault: Duration.Input = "5 seconds"

const nothing = new Uint8Array(0)

/** Whole milliseconds, so that calls of about the same time share a deadline's timer. */
const millisOf = (timeout: Duration.Input): number => Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(timeout)))

/**
 * Makes calls and handles them over a client, until the scope closes: what is then being handled is interrupted, and
 * what is waited for fails with `Disconnected`. The client's inbox is read here meanwhile.
 */
export const make = <R = never>(
  client: ExchangeClient,
  options: RpcOptions<R> = {},
): Effect.Effect<Rpc, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const services = yield* Effect.context<R>()
    const scope = yield* Effect.scope
    const clock = yield* Clock.clockWith(Effect.succeed)
    const run: Run<R> = Effect.runForkWith(services)
    const fork = (effect: Effect.Effect<void>): void => void run(Effect.forkIn(effect, scope))
    const timeoutMillis = millisOf(options.timeout ?? timeoutDefault)

    const calls = new Calls(client, clock, run, fork)
    const handling = new Handling<R>(
      client,
      {
        // A map, so that no method is found that is only inherited.
        byMethod: new Map(Object.entries(options.handlers ?? {})),
        fallback: options.fallback,
        onNotification: options.onNotification,
      },
      options.handledMax ?? handledMaxDefault,
      run,
    )
    const others = new ReceivedQueue(
      options.inboxFramesMax ?? inboxFramesMaxDefault,
      options.inboxBytesMax ?? inboxBytesMaxDefault,
      () => {},
    )
    let dropped = 0
    // Calls must go on, whether or not anybody reads what is no RPC.
    const leave = (frame: Received): void => {
      if (others.hasRoom(frame.payload.byteLength)) others.push(frame)
      else dropped++
    }

    const take = (frame: Received): void => {
      if (frame.kind !== "message") {
        if (!calls.departure(frame)) leave(frame)
        return
      }
      const { sender } = frame
      const payload = Payload.decode(frame.payload)
      switch (payload.type) {
        case "reply":
          calls.reply(payload.callId, sender, payload.result)
          return
        case "errorReply":
          calls.errorReply(payload.callId, sender, payload.code, payload.error)
          return
        case "request":
          handling.request(sender, payload.callId, payload.method, payload.params)
          return
        case "notification":
          handling.notification(sender, payload.payload)
          return
        case "invalid":
          handling.refuse(sender, payload.callId, rpcError(payload.code, payload.reason))
          return
        case "foreign":
          leave(frame)
      }
    }

    const gone = (reason: string): Disconnected =>
      new Disconnected({ name: client.name, reason, message: `the client ${client.name} makes no calls any more` })

    yield* Effect.addFinalizer(() => handling.close)
    yield* client.inbox.pipe(
      Stream.runForEachArray((frames) =>
        Effect.sync(() => {
          for (const frame of frames) take(frame)
          handling.flush()
          others.flush()
        }),
      ),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          const failed = Exit.isFailure(exit) ? exit.cause.reasons.find((reason) => reason._tag === "Fail") : undefined
          others.end(failed?.error)
          calls.end(failed?.error ?? gone("left"))
        }),
      ),
      Effect.forkScoped({ startImmediately: true }),
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => client.onLost(() => calls.lost())),
      (takeBack) => Effect.sync(takeBack),
    )
    yield* Effect.addFinalizer(() => calls.close)

    const methodProblem = (method: string): InvalidArgument | undefined => {
      const problem = Payload.methodProblem(method)
      return problem === undefined ? undefined : new InvalidArgument({ argument: "method", message: problem })
    }

    return {
      name: client.name,
      client,
      inbox: others.stream,
      call: (target, method, params = nothing, { timeout, isRealtime = false } = {}) => {
        const problem = methodProblem(method)
        if (problem !== undefined) return Effect.fail(problem)
        return calls.call(target, method, params, timeout === undefined ? timeoutMillis : millisOf(timeout), isRealtime)
      },
      callNoReply: (target, method, params = nothing, { isRealtime = false } = {}) => {
        const problem = methodProblem(method)
        if (problem !== undefined) return Effect.fail(problem)
        return client.send(target, Payload.request(0, method, params), { isRealtime })
      },
      notify: (target, payload, { isRealtime = false } = {}) => {
        const bytes = toBytes(payload)
        return client.send(target, Payload.notification(bytes), { isRealtime })
      },
      figures: Effect.sync(() => ({
        calling: calls.size,
        handling: handling.handling,
        dropped,
        refused: handling.refused,
      })),
    }
  })
