/**
 * `listen`: what comes for a client of the live plane, until it is interrupted or `--limit` is reached.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as LiveTopic from "../../domain/LiveTopic.ts"
import { type ExchangeClient, type Received, warnTopic } from "../../exchange/index.ts"
import * as RpcPayload from "../../rpc/codec/payload.ts"
import { rpcError, ErrorCode } from "../../rpc/index.ts"
import * as Arguments from "../arguments.ts"
import { printable } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import * as LiveConnection from "./LiveConnection.ts"
import { receivedBytes, receivedLines } from "./liveFormat.ts"

export interface ListenInput extends LiveConnection.LiveInput {
  readonly topics: ReadonlyArray<string>
  readonly limit: Option.Option<string>
  readonly json: boolean
}

/** A call that has come; what only looks like one is none. */
const callOf = ({ kind, payload }: Received) => {
  const decoded = kind === "message" ? RpcPayload.decode(payload) : undefined
  return decoded?.type === "request" ? decoded : undefined
}

/** Whoever calls is told that nobody here does what it asks for, and need not wait for an answer. */
const refuseCalls = (client: ExchangeClient, frames: ReadonlyArray<Received>): Effect.Effect<void> =>
  Effect.forEach(
    frames,
    (frame) => {
      const call = callOf(frame)
      if (call === undefined || call.callId === 0) return Effect.void
      const { code, data } = rpcError(ErrorCode.methodNotFound, `${client.name} listens, and answers no calls`)
      // Who has gone meanwhile waits for nothing.
      return Effect.ignore(client.send(frame.sender, RpcPayload.errorReply(call.callId, code, data)))
    },
    { discard: true },
  )

/** What comes and is no output, but for the person at the terminal; undefined of all the rest. */
const asideOf =
  (isWarningAsked: boolean, json: boolean) =>
  (frame: Received): string | undefined => {
    // Every client gets the broker's warnings; they are printed where they were asked for.
    if (frame.topic === warnTopic && !isWarningAsked) return "the node stops"
    const call = json ? undefined : callOf(frame)
    return call && `${printable(frame.sender)} calls ${printable(call.method)}, which nobody answers here`
  }

export const listen = Effect.fnUntraced(function* (input: ListenInput) {
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  for (const topic of input.topics) yield* Arguments.liveFilter(topic)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const client = yield* LiveConnection.connect(input)
      yield* client.subscribe(...input.topics)
      const progress = yield* Progress.make("received", { total: limit })
      yield* Output.tell(`connected as ${client.name}`)
      const isWarningAsked = input.topics.some((filter) => LiveTopic.matches(filter, warnTopic))
      const aside = asideOf(isWarningAsked, input.json)
      const frames = client.inbox.pipe(
        Stream.mapArrayEffect((chunk) => {
          const said = chunk.flatMap((frame) => aside(frame) ?? [])
          const told = Effect.forEach(said, Output.tell, { discard: true })
          return Effect.as(Effect.andThen(told, refuseCalls(client, chunk)), chunk)
        }),
        Stream.filter((frame) => aside(frame) === undefined),
      )
      const format = input.json ? receivedLines : receivedBytes
      yield* Stream.runForEachArray(limit === undefined ? frames : Stream.take(frames, limit), (chunk) =>
        Effect.map(Output.write(format(chunk)), () => progress.add(chunk.length)),
      )
    }),
  )
})
