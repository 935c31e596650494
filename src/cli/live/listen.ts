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
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import * as LiveConnection from "./LiveConnection.ts"
import { receivedBytes, receivedLines } from "./liveFormat.ts"

export interface ListenInput extends LiveConnection.LiveInput {
  readonly topics: ReadonlyArray<string>
  readonly limit: Option.Option<string>
  readonly json: boolean
}

/** Whoever calls is told that nobody here does what it asks for, and need not wait for an answer. */
const refuseCalls = (client: ExchangeClient, frames: ReadonlyArray<Received>): Effect.Effect<void> =>
  Effect.forEach(
    frames,
    ({ kind, payload, sender }) => {
      const decoded = kind === "message" ? RpcPayload.decode(payload) : undefined
      if (decoded?.type !== "request" || decoded.callId === 0) return Effect.void
      const { code, data } = rpcError(ErrorCode.methodNotFound, `${client.name} listens, and answers no calls`)
      // Who has gone meanwhile waits for nothing.
      return Effect.ignore(client.send(sender, RpcPayload.errorReply(decoded.callId, code, data)))
    },
    { discard: true },
  )

export const listen = Effect.fnUntraced(function* (input: ListenInput) {
  const limit = yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)
  for (const topic of input.topics) yield* Arguments.liveFilter(topic)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const client = yield* LiveConnection.connect(input)
      yield* client.subscribe(...input.topics)
      const progress = yield* Progress.make("received", limit)
      yield* Output.tell(`connected as ${client.name}`)
      // Every client gets the broker's warnings; they are printed where they were asked for.
      const isAsked = input.topics.some((filter) => LiveTopic.matches(filter, warnTopic))
      const isWarning = ({ topic }: Received): boolean => !isAsked && topic === warnTopic
      const frames = client.inbox.pipe(
        Stream.mapArrayEffect((chunk) =>
          Effect.as(chunk.some(isWarning) ? Output.tell("the node stops") : Effect.void, chunk),
        ),
        Stream.filter((frame) => !isWarning(frame)),
      )
      const format = input.json ? receivedLines : receivedBytes
      yield* Stream.runForEachArray(limit === undefined ? frames : Stream.take(frames, limit), (chunk) =>
        Effect.gen(function* () {
          yield* Output.write(format(chunk))
          progress.add(chunk.length)
          yield* refuseCalls(client, chunk)
        }),
      )
    }),
  )
})
