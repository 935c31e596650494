/**
 * What `doctor` examines: a file, or the store of a node elsewhere.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ExaminationEvent } from "../storage/Examination.ts"
import * as StorePath from "./StorePath.ts"
import { UsageError } from "./UsageError.ts"

export interface Source {
  /** What it is called in front of people. */
  readonly name: string
  readonly events: Stream.Stream<ExaminationEvent, unknown>
}

const ofFile = (file: string): Effect.Effect<Source> =>
  Effect.map(
    Effect.promise(() => import("../storage/sqlite/examine.ts")),
    ({ examine }) => ({ name: file, events: examine(file) }),
  )

export const openSource = Effect.fnUntraced(function* ({
  path,
  url,
}: {
  readonly path: Option.Option<string>
  readonly url: Option.Option<string>
}) {
  if (Option.isSome(path)) {
    if (Option.isSome(url)) return yield* new UsageError({ message: "give a path or --url, not both" })
    return yield* ofFile(yield* StorePath.find(path.value))
  }
  const file = StorePath.ofThisDirectory()
  if (Option.isSome(file)) return yield* ofFile(file.value)
  return yield* new UsageError({ message: "there is no store in ./millrace-data: name one" })
})
