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
import { readStandardInput } from "../io/standardInput.ts"
import { UsageError } from "../UsageError.ts"

export interface PublishInput {
  readonly topic: string
  readonly payload: Option.Option<string>
  readonly headers: ReadonlyArray<string>
  readonly key: Option.Option<string>
  readonly lines: boolean
  readonly keyPrefix: Option.Option<string>
  readonly url: Option.Option<string>
  readonly json: boolean
}

const checkCombination = (input: PublishInput): Effect.Effect<void, UsageError> => {
  const problem = input.lines
    ? Option.isSome(input.payload)
      ? "--lines reads the payloads from standard input: leave PAYLOAD out"
      : Option.isSome(input.key)
        ? "--key is for one message: with --lines use --key-prefix"
        : undefined
    : Option.isSome(input.keyPrefix)
      ? "--key-prefix goes with --lines: for one message use --key"
      : Option.isNone(input.payload) && process.stdin.isTTY
        ? "missing argument PAYLOAD: give it, or - to read it from standard input"
        : undefined
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
  const topic = yield* Arguments.topic(input.topic)
  const headers = yield* Arguments.headers(input.headers)
  yield* checkCombination(input)
  const connection = Connection.layer(input.url)
  if (!input.lines) return yield* Effect.provide(publishOne(input, topic, headers), connection)
  const keyPrefix = Option.getOrUndefined(input.keyPrefix)
  yield* Effect.provide(Effect.scoped(publishLines({ topic, headers, keyPrefix, json: input.json })), connection)
})
