/**
 * `send`, `broadcast`, `notify` and `publish --live`: one message from the command line or from standard input, to who is
 * connected now.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ExchangeClient, SendOptions } from "../../exchange/index.ts"
import * as RpcPayload from "../../rpc/codec/payload.ts"
import { missingPayload, readStandardInput } from "../io/standardInput.ts"
import { UsageError } from "../UsageError.ts"
import * as LiveConnection from "./LiveConnection.ts"

export interface MessageInput extends LiveConnection.LiveInput {
  readonly payload: Option.Option<string>
  readonly qos: Option.Option<"processed" | "no">
  readonly realtime: boolean
}

const encoder = new TextEncoder()

const payloadOf = ({ payload }: MessageInput): Effect.Effect<Uint8Array, UsageError> => {
  if (Option.isSome(payload) && payload.value !== "-") return Effect.succeed(encoder.encode(payload.value))
  if (Option.isNone(payload) && process.stdin.isTTY) {
    return Effect.fail(new UsageError({ message: missingPayload }))
  }
  return readStandardInput
}

const optionsOf = ({ qos, realtime }: MessageInput): SendOptions => ({
  isProcessed: Option.getOrElse(qos, () => "processed") === "processed",
  isRealtime: realtime,
})

const connected = <E>(
  input: MessageInput,
  use: (client: ExchangeClient, payload: Uint8Array) => Effect.Effect<void, E>,
) =>
  Effect.gen(function* () {
    const payload = yield* payloadOf(input)
    const client = yield* LiveConnection.connect(input)
    yield* use(client, payload)
  }).pipe(Effect.scoped)

export const send = (input: MessageInput & { readonly target: string }) =>
  connected(input, (client, payload) => client.send(input.target, payload, optionsOf(input)))

export const broadcast = (input: MessageInput & { readonly mask: string }) =>
  connected(input, (client, payload) => client.broadcast(input.mask, payload, optionsOf(input)))

export const notify = (input: MessageInput & { readonly target: string }) =>
  connected(input, (client, payload) => client.send(input.target, RpcPayload.notification(payload), optionsOf(input)))

export const publishLive = (input: MessageInput & { readonly topic: string }) =>
  connected(input, (client, payload) => client.publish(input.topic, payload, optionsOf(input)))
