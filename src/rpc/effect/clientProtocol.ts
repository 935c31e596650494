/**
 * A client of `effect/rpc` whose server is a client of the live plane, called by its name. It has a connection of its
 * own, under a name of its own; a secondary name, as `shop%%orders`, gives it the access rules of the primary client.
 *
 * What is under way fails with `RpcClientError` at once when the server leaves, or either connection is lost. Its reason's
 * cause is the error of the live plane: `NotRegistered`, `CalleeGone`, `Disconnected`, `AccessDenied`, …
 */
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import { RpcClientDefect, RpcClientError } from "effect/rpc/RpcClientError"
import type { FromServerEncoded } from "effect/rpc/RpcMessage"
import { json } from "effect/rpc/RpcSerialization"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Disconnected } from "../../domain/liveErrors.ts"
import { type ConnectError, type ConnectOptions, Exchange, type Received } from "../../exchange/Exchange.ts"
import { CalleeGone } from "../errors.ts"
import { Departures } from "../internal/Departures.ts"
import * as wire from "./wire.ts"

export interface ClientProtocolOptions extends ConnectOptions {
  /** The name of the server. It need not be there yet. */
  readonly target: string
  /** The name under which the client is connected. */
  readonly name: string
}

const clientError = (message: string, cause: unknown): RpcClientError =>
  new RpcClientError({ reason: new RpcClientDefect({ message, cause }) })

/** Connects a client, and makes it a client's protocol, until the scope closes. */
export const makeClientProtocol = ({
  target,
  name,
  ...options
}: ClientProtocolOptions): Effect.Effect<RpcClient.Protocol["Service"], ConnectError, Exchange | Scope.Scope> =>
  RpcClient.Protocol.make((writeResponse, clientIds) =>
    Effect.gen(function* () {
      const exchange = yield* Exchange
      const client = yield* exchange.connect(name, options)
      const scope = yield* Effect.scope
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const session = globalThis.crypto.randomUUID()
      /** Which client has made the request. */
      const requests = new Map<string | number, number>()
      let ended: RpcClientError | undefined

      const departures = new Departures<null>(client, (effect) => void run(Effect.forkIn(effect, scope)))
      const server = departures.enter(target, null)

      /** Whatever is under way fails. */
      const failAll = (error: RpcClientError): void => {
        requests.clear()
        for (const id of clientIds) run(writeResponse(id, { _tag: "ClientProtocolError", error }))
      }
      const left = (): RpcClientError => {
        const message = `${target} disconnected before it answered`
        return clientError(message, new CalleeGone({ target, method: "", message }))
      }
      const lost = (reason: string): RpcClientError => {
        const message = `the connection of the client ${name} was lost`
        return clientError(message, new Disconnected({ name, reason, message }))
      }

      const answer = (response: FromServerEncoded): void => {
        if (response._tag === "Defect") {
          requests.clear()
          for (const id of clientIds) run(writeResponse(id, response))
          return
        }
        if (response._tag !== "Chunk" && response._tag !== "Exit") return
        const id = requests.get(response.requestId)
        if (id === undefined) return
        if (response._tag === "Exit") requests.delete(response.requestId)
        // A stream that is not read holds up nobody else; its server waits for the confirmation of each chunk.
        run(writeResponse(id, response))
      }

      const take = (frame: Received): void => {
        if (departures.departed(frame) === server) failAll(left())
        if (frame.kind !== "message" || frame.sender !== target) return
        const decoded = wire.fromServer(frame.payload)
        if (decoded?.session === session) answer(decoded.message)
      }

      yield* client.inbox.pipe(
        Stream.runForEachArray((frames) => {
          let at = 0
          return Effect.whileLoop({
            while: () => at < frames.length,
            body: () => Effect.sync(() => take(frames[at++]!)),
            step: constVoid,
          })
        }),
        Effect.matchCause({ onSuccess: () => "left", onFailure: () => "connectionLost" }),
        Effect.tap((reason) =>
          Effect.sync(() => {
            ended = lost(reason)
            failAll(ended)
          }),
        ),
        Effect.forkScoped,
      )
      yield* Effect.acquireRelease(
        Effect.sync(() => client.onLost(() => failAll(lost("connectionLost")))),
        (takeBack) => Effect.sync(takeBack),
      )

      return {
        send: (clientId, message) =>
          Effect.suspend((): Effect.Effect<void, RpcClientError> => {
            if (ended !== undefined) return Effect.fail(ended)
            if (message._tag === "Request") requests.set(message.id, clientId)
            if (message._tag === "Interrupt") requests.delete(message.requestId)
            let payload: Uint8Array
            try {
              payload = wire.encode(session, message)
            } catch (cause) {
              return Effect.fail(clientError("the request cannot be written", cause))
            }
            const send = Effect.mapError(client.send(target, payload), (error) => clientError(error.message, error))
            if (message._tag !== "Request") return send
            return Effect.onError(server.isWatched ? send : Effect.andThen(departures.watch(server), send), () =>
              Effect.sync(() => requests.delete(message.id)),
            )
          }),
        supportsAck: true,
        supportsTransferables: false,
        codecFor: json.codecFor,
      }
    }),
  )

/** For `RpcClient.make`: calls to the server of this name. */
export const layerClientProtocol = (
  options: ClientProtocolOptions,
): Layer.Layer<RpcClient.Protocol, ConnectError, Exchange> =>
  Layer.effect(RpcClient.Protocol, makeClientProtocol(options))
