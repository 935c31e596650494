/**
 * The program of a thread that examines a store and tells what it finds.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { examine } from "./examine.ts"
import type { ThreadMessage } from "./maintenance.ts"

const { path } = workerData as { readonly path: string }
const say = (message: ThreadMessage): void => parentPort!.postMessage(message, [])

const exit = await Effect.runPromiseExit(
  Stream.runForEachArray(examine(path), (events) => Effect.sync(() => say({ type: "events", events }))),
)
if (Exit.isSuccess(exit)) say({ type: "done" })
else {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  say({ type: "failed", message: error?.message ?? Cause.pretty(exit.cause) })
}
