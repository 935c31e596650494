/**
 * A server of `effect/rpc` that is a client of the live plane: whoever is connected calls it by its name. What is under
 * way for a caller is interrupted when that caller leaves.
 */
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import {
  type FromClientEncoded,
  type FromServerEncoded,
  RequestId,
  ResponseExitDieEncoded,
} from "effect/rpc/RpcMessage"
import { json } from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type ConnectError, type ConnectOptions, Exchange, type Received } from "../../exchange/Exchange.ts"
import { Departures, type Peer } from "../internal/Departures.ts"
import { handledMaxDefault } from "../make.ts"
import * as wire from "./wire.ts"

/** The header of a request that has the name of the client which sent it. No client can say otherwise. */
export const senderHeader = "millrace-sender"

export interface ServerProtocolOptions extends ConnectOptions {
  /** The name under which it is connected, and called. */
  readonly name: string
  /** Requests of one caller that are handled at a time; those beyond die with `busy`. By default 1,024. */
  readonly handledMax?: number | undefined
}

/** A client protocol that has sent something. */
class Caller {
  readonly id: number
  readonly name: string
  readonly session: string
  peer: Peer<Caller> | undefined
  /** Those that have no exit yet. */
  readonly requests: Set<string | number> = new Set()

  constructor(id: number, name: string, session: string) {
    this.id = id
    this.name = name
    this.session = session
  }
}

const busy = (id: string | number): FromServerEncoded =>
  ResponseExitDieEncoded({ requestId: RequestId(id), encodedDefect: "busy" })

const withSender = (message: FromClientEncoded, sender: string): FromClientEncoded =>
  message._tag === "Request" ? { ...message, headers: [...message.headers, [senderHeader, sender]] } : message

/** Connects a client, and makes it a server's protocol, until the scope closes. */
export const makeServerProtocol = ({
  name,
  handledMax = handledMaxDefault,
  ...options
}: ServerProtocolOptions): Effect.Effect<RpcServer.Protocol["Service"], ConnectError, Exchange | Scope.Scope> =>
  RpcServer.Protocol.make((writeRequest) =>
    Effect.gen(function* () {
      const exchange = yield* Exchange
      const client = yield* exchange.connect(name, options)
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const fork = (effect: Effect.Effect<void>): void => void run(Effect.forkIn(effect, scope))
      const departures = new Departures<Caller>(client, fork)
      const disconnects = yield* Queue.make<number>()
      /** A name belongs to one client at a time, and so to one session. */
      const byName = new Map<string, Caller>()
      const byId = new Map<number, Caller>()
      let lastId = 0

      const drop = (caller: Caller): void => {
        if (!byId.delete(caller.id)) return
        if (byName.get(caller.name) === caller) byName.delete(caller.name)
        departures.leave(caller.peer!, caller)
        Queue.offerUnsafe(disconnects, caller.id)
      }
      const dropAll = (): void => {
        for (const caller of byId.values()) drop(caller)
      }

      /** A caller that cannot be answered is as good as gone. */
      const answer = (caller: Caller, payload: Uint8Array): Effect.Effect<void> =>
        Effect.catch(client.send(caller.name, payload), (error) =>
          Effect.andThen(
            Effect.logDebug(`${caller.name} gets no answers any more`, error),
            Effect.sync(() => drop(caller)),
          ),
        )

      const callerOf = (name: string, session: string): Caller => {
        const known = byName.get(name)
        if (known?.session === session) return known
        // It was started again under its name.
        if (known !== undefined) drop(known)
        const caller = new Caller(++lastId, name, session)
        const peer = departures.enter(name, caller)
        caller.peer = peer
        byName.set(name, caller)
        byId.set(caller.id, caller)
        // If it can be answered once its departure would be heard of, then it has not left before that.
        const pong = wire.encode(session, { _tag: "Pong" })
        fork(Effect.andThen(departures.watch(peer), answer(caller, pong)))
        return caller
      }

      const take = (frame: Received): Effect.Effect<void> => {
        const departed = departures.departed(frame)
        if (departed !== undefined && departed !== "unknown") for (const caller of departed.waiting) drop(caller)
        if (frame.kind !== "message") return Effect.void
        const decoded = wire.fromClient(frame.payload)
        if (decoded === undefined) return Effect.logDebug(`${frame.sender} has sent ${name} what is no request`)
        const caller = callerOf(frame.sender, decoded.session)
        const { message } = decoded
        // A caller ends by leaving.
        if (message._tag === "Eof") return Effect.void
        if (message._tag === "Request" && message.isNotification !== true) {
          const { requests } = caller
          if (requests.has(message.id)) return Effect.logDebug(`${frame.sender} has sent the same request twice`)
          if (requests.size >= handledMax) return answer(caller, wire.encode(caller.session, busy(message.id)))
          requests.add(message.id)
        }
        return writeRequest(caller.id, withSender(message, frame.sender))
      }

      yield* client.inbox.pipe(
        Stream.runForEachArray((frames) => {
          let at = 0
          return Effect.whileLoop({ while: () => at < frames.length, body: () => take(frames[at++]!), step: constVoid })
        }),
        Effect.tapError((error) => Effect.logError(`nobody can call ${name} any more`, error)),
        Effect.onExit(() => Effect.sync(dropAll)),
        Effect.ignore,
        Effect.forkScoped,
      )
      // Callers hear that it was gone for a moment, and do not wait for anything.
      yield* Effect.acquireRelease(
        Effect.sync(() => client.onLost(dropAll)),
        (takeBack) => Effect.sync(takeBack),
      )

      return {
        disconnects,
        send: (id, response) =>
          Effect.suspend(() => {
            const caller = byId.get(id)
            if (caller === undefined) return Effect.void
            const answered = answer(caller, wire.encode(caller.session, response))
            if (response._tag === "Exit") caller.requests.delete(response.requestId)
            // A defect ends all requests of a caller there, so nothing of it goes on here.
            return response._tag === "Defect"
              ? Effect.andThen(
                  answered,
                  Effect.sync(() => drop(caller)),
                )
              : answered
          }),
        end: () => Effect.void,
        clientIds: Effect.sync(() => new Set(byId.keys())),
        initialMessage: Effect.succeedNone,
        supportsAck: true,
        supportsTransferables: false,
        supportsSpanPropagation: true,
        supportsNotifications: true,
        codecFor: json.codecFor,
      }
    }),
  )

/** For `RpcServer.layer`: handlers that are called by the name of a client. */
export const layerServerProtocol = (
  options: ServerProtocolOptions,
): Layer.Layer<RpcServer.Protocol, ConnectError, Exchange> =>
  Layer.effect(RpcServer.Protocol, makeServerProtocol(options))
