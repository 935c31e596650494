/**
 * The program of a process that examines a store and tells what it finds. It is a process of its own because LMDB reads
 * its file as memory: where the file is damaged it may well end whoever reads it.
 */
import * as Effect from "effect/Effect"
import type { ExaminationEvent } from "../Examination.ts"
import { examine } from "../examination/examine.ts"
import { messageOf } from "./Commits.ts"
import { Environment, NotAStore } from "./Environment.ts"
import { lmdbSource } from "./LmdbSource.ts"

/** What the process says. */
export type ProcessMessage =
  | { readonly type: "events"; readonly events: ReadonlyArray<ExaminationEvent> }
  | { readonly type: "no store"; readonly message: string }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "done" }

/** Waits until it is sent: a process that ends loses what it has not sent. */
const say = (message: ProcessMessage): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.send!(message, () => resume(Effect.void))
  })

const [path = ""] = process.argv.slice(2)
// Whoever asked is gone.
process.on("disconnect", () => process.exit())

const program = Effect.gen(function* () {
  const environment = Environment.open({ path, durability: "fsync", readonly: true }, "must be there")
  yield* examine(lmdbSource(environment), (event) => say({ type: "events", events: [event] }))
  yield* say({ type: "done" })
  yield* Effect.promise(() => environment.close())
}).pipe(
  Effect.catchDefect((error) =>
    say({ type: error instanceof NotAStore ? "no store" : "failed", message: messageOf(error) }),
  ),
)
await Effect.runPromise(program)
process.disconnect()
