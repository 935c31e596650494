/**
 * `queue take`: does a queue's items as they come. Printed is done; with `--exec`, done is what the command says.
 */
import { spawn } from "node:child_process"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { QueueItem } from "../../domain/QueueItem.ts"
import { Queues } from "../../queues/Queues.ts"
import { attemptsMaxDefault } from "../../queues/taking.ts"
import * as Arguments from "../arguments.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import { printItem } from "./queue.ts"
import type { NodeAt } from "../NodeAt.ts"

export interface TakeInput {
  readonly queue: string
  readonly exec: Option.Option<string>
  readonly attemptsMax: Option.Option<string>
  readonly limit: Option.Option<string>
  readonly at: NodeAt
  readonly json: boolean
}

/** How long after its last item a limited take looks whether that is acknowledged, in milliseconds. */
const settleMillis = 10

/** Runs a shell command with the payload on its standard input; fails where it does not exit with 0. */
const runCommand = (command: string, item: QueueItem): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const env = { ...process.env, MILLRACE_ITEM: item.id, MILLRACE_ATTEMPTS: String(item.attempts) }
    const child = spawn(command, { shell: true, stdio: ["pipe", "inherit", "inherit"], env })
    // A command that does not read its input is free not to.
    child.stdin.on("error", () => {})
    child.stdin.end(item.payload)
    child.on("error", (error) => resume(Effect.fail(error)))
    child.on("exit", (code, signal) => {
      resume(
        code === 0 ? Effect.void : Effect.fail(new Error(`the command ended with ${signal ?? `exit code ${code}`}`)),
      )
    })
    return Effect.sync(() => void child.kill())
  })

const tellFailure = (item: QueueItem) => (error: Error) =>
  Output.tell(`item ${item.sequence} of ${item.queue}, attempt ${item.attempts + 1}: ${error.message}`)

export const take = Effect.fnUntraced(function* (input: TakeInput) {
  const queue = yield* Arguments.queue(input.queue)
  const attemptsMax =
    (yield* Arguments.optionalWholeNumber("--attempts-max", input.attemptsMax, 1)) ?? attemptsMaxDefault
  const limit = (yield* Arguments.optionalWholeNumber("--limit", input.limit, 1)) ?? Number.POSITIVE_INFINITY
  yield* Effect.provide(
    Effect.gen(function* () {
      const queues = yield* Queues
      const enough = yield* Deferred.make<void>()
      const failed = yield* Deferred.make<never, Output.OutputClosed | Output.OutputFailed>()
      let done = 0

      /** Ends the command when the item is no longer in front: acknowledged, or in the dead queue. */
      const endAfter = (item: QueueItem): Effect.Effect<void> =>
        Effect.gen(function* () {
          for (;;) {
            yield* Effect.sleep(settleMillis)
            const front = yield* Effect.option(queues.peek(queue))
            if (
              !Option.contains(
                Option.map(Option.flatten(front), ({ id }) => id),
                item.id,
              )
            )
              break
          }
          yield* Deferred.succeed(enough, undefined)
        })

      /** An item is done, or about to be dead: it counts. */
      const finish = (item: QueueItem) => {
        done += 1
        return done === limit ? Effect.forkDetach(endAfter(item)) : Effect.void
      }

      const failedOnce = (item: QueueItem) => (error: Error) =>
        Effect.andThen(tellFailure(item)(error), item.attempts + 1 >= attemptsMax ? finish(item) : Effect.void)

      const handle = (item: QueueItem) =>
        Effect.gen(function* () {
          // What comes beyond the limit stays as it is.
          if (done >= limit) return yield* Effect.never
          if (Option.isSome(input.exec)) yield* Effect.tapError(runCommand(input.exec.value, item), failedOnce(item))
          // What cannot be printed is not the item's fault.
          else
            yield* Effect.catch(printItem(item, input.json), (error) =>
              Effect.andThen(Deferred.fail(failed, error), Effect.never),
            )
          yield* finish(item)
        })

      const taking = queues.take(queue, handle, { attemptsMax })
      yield* Effect.raceFirst(Effect.raceFirst(taking, Deferred.await(failed)), Deferred.await(enough))
    }),
    Connection.layerOfQueues(input.at),
  )
})
