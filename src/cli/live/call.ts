/**
 * `call`: asks another client for something, and prints its answer. Parameters and answer are MessagePack on the way, as
 * BUS/RT has it by convention, and JSON here.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { parseDuration } from "../../node/NodeConfig.ts"
import * as Rpc from "../../rpc/index.ts"
import * as Output from "../io/Output.ts"
import { UsageError } from "../UsageError.ts"
import * as LiveConnection from "./LiveConnection.ts"
import { CommandFailed } from "../CommandFailed.ts"
import * as ValueJson from "./valueJson.ts"

export interface CallInput extends LiveConnection.LiveInput {
  readonly target: string
  readonly method: string
  readonly params: ReadonlyArray<string>
  readonly timeout: Option.Option<string>
  readonly realtime: boolean
  readonly raw: boolean
}

const paramsOf = (words: ReadonlyArray<string>): Effect.Effect<Uint8Array | undefined, UsageError> => {
  const params = Rpc.TextParams.parse(words)
  return Result.isFailure(params)
    ? Effect.fail(new UsageError({ message: params.failure }))
    : Effect.succeed(params.success === undefined ? undefined : Rpc.MessagePack.encode(params.success))
}

const timeoutOf = (text: Option.Option<string>): Effect.Effect<Duration.Duration, UsageError> => {
  const timeout = parseDuration(Option.getOrElse(text, () => "5s"))
  return timeout === undefined
    ? Effect.fail(new UsageError({ message: "--timeout takes a time such as 500ms, 5s or 1m" }))
    : Effect.succeed(timeout)
}

const answerLine = (answer: Uint8Array, { method, target }: CallInput): Effect.Effect<string, CommandFailed> => {
  if (answer.length === 0) return Effect.succeed("null\n")
  const value = Rpc.MessagePack.decode(answer)
  return Result.isSuccess(value)
    ? Effect.succeed(`${ValueJson.format(value.success)}\n`)
    : new CommandFailed({
        message: `what ${target} answered to ${method} is no MessagePack: ${value.failure}; --raw prints it as it is`,
      })
}

export const call = Effect.fnUntraced(function* (input: CallInput) {
  const params = yield* paramsOf(input.params)
  const timeout = yield* timeoutOf(input.timeout)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const rpc = yield* Rpc.make(yield* LiveConnection.connect(input))
      const answer = yield* rpc
        .call(input.target, input.method, params, { timeout, isRealtime: input.realtime })
        .pipe(
          Effect.catchTag(
            "RpcError",
            ({ message }) =>
              new CommandFailed({ message: `${input.target} answered ${input.method} with an error: ${message}` }),
          ),
        )
      yield* input.raw ? Output.write(answer) : Effect.flatMap(answerLine(answer, input), Output.write)
    }),
  )
})
