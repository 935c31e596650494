/**
 * `publish`: one message from the command line or from standard input, or one for each line of it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Topics } from "../../topics/Topics.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import { logName, storedObject } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import { publishLines } from "./publishLines.ts"
import { missingPayload, readStandardInput } from "../io/standardInput.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface PublishInput {
  readonly topic: string
  readonly payload: Option.Option<string>
  readonly headers: ReadonlyArray<string>
  readonly key: Option.Option<string>
  readonly lines: boolean
  readonly keyPrefix: Option.Option<string>
  readonly live: boolean
  readonly name: Option.Option<string>
  readonly qos: Option.Option<"processed" | "no">
  readonly realtime: boolean
  readonly at: NodeAt
  readonly json: boolean
}

const isOfLog = ({ headers, json, key, keyPrefix, lines }: PublishInput): boolean =>
  headers.length > 0 || Option.isSome(key) || Option.isSome(keyPrefix) || lines || json

const isOfLive = ({ name, qos, realtime }: PublishInput): boolean =>
  Option.isSome(name) || Option.isSome(qos) || realtime

const combinationProblem = (input: PublishInput): string | undefined => {
  if (input.live) {
    return isOfLog(input) ? "--live is for one message, without --header, --key, --lines or --json" : undefined
  }
  if (isOfLive(input)) return "--name, --qos and --realtime go with --live"
  if (input.lines) {
    if (Option.isSome(input.payload)) return "--lines reads the payloads from standard input: leave PAYLOAD out"
    return Option.isSome(input.key) ? "--key is for one message: with --lines use --key-prefix" : undefined
  }
  if (Option.isSome(input.keyPrefix)) return "--key-prefix goes with --lines: for one message use --key"
  return Option.isNone(input.payload) && process.stdin.isTTY ? missingPayload : undefined
}

const checkCombination = (input: PublishInput): Effect.Effect<void, UsageError> => {
  const problem = combinationProblem(input)
  return problem === undefined ? Effect.void : Effect.fail(new UsageError({ message: problem }))
}

const publishOne = Effect.fnUntraced(function* (
  input: PublishInput,
  topic: string,
  headers: Readonly<Record<string, string>>,
) {
  const payload =
    Option.isSome(input.payload) && input.payload.value !== "-" ? input.payload.value : yield* readStandardInput
  const topics = yield* Topics
  const message = yield* topics.publish(topic, payload, { headers, key: Option.getOrUndefined(input.key) })
  yield* input.json ? Output.writeJson(storedObject(message)) : Output.write(`${logName(message)} ${message.offset}\n`)
})

export const publish = Effect.fnUntraced(function* (input: PublishInput) {
  const topic = yield* (input.live ? Arguments.liveTopic : Arguments.topic)(input.topic)
  const headers = yield* Arguments.headers(input.headers)
  yield* checkCombination(input)
  if (input.live) {
    const { publishLive } = yield* Effect.promise(() => import("../live/send.ts"))
    return yield* publishLive({ ...input, topic })
  }
  const connection = Connection.layer(input.at)
  if (!input.lines) return yield* Effect.provide(publishOne(input, topic, headers), connection)
  const keyPrefix = Option.getOrUndefined(input.keyPrefix)
  yield* Effect.provide(Effect.scoped(publishLines({ topic, headers, keyPrefix, json: input.json })), connection)
})
