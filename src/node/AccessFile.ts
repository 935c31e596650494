/**
 * Access rules in a file, read again when the file changes and on SIGHUP. Rules that cannot be used change nothing: the
 * old ones stay, and the log and a metric say so.
 */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import { Access, make, open, type ReplaceableAccess } from "../access/Access.ts"
import * as AccessRules from "../access/AccessRules.ts"
import { ConfigInvalid } from "./ConfigInvalid.ts"
import * as FollowedFiles from "./FollowedFiles.ts"
import { reasonOf } from "./StartFailed.ts"

const reloads = Metric.counter("millrace_access_reloads_total", {
  description: "Times that access rules were read again, by whether they could be used",
  incremental: true,
})
const counted = {
  used: Metric.withAttributes(reloads, { result: "used" }),
  refused: Metric.withAttributes(reloads, { result: "refused" }),
}

/** A file of rules that was read. */
export interface ReadRules {
  readonly path: string
  readonly text: string
  readonly rules: AccessRules.AccessRules
}

const load = (path: string): Result.Result<ReadRules, string> => {
  try {
    const text = readFileSync(path, "utf8")
    return Result.mapBoth(AccessRules.parse(text), {
      onSuccess: (rules) => ({ path, text, rules }),
      onFailure: (problem) => `${path}: ${problem}`,
    })
  } catch (cause) {
    return Result.fail(`${path} cannot be read: ${reasonOf(cause)}`)
  }
}

/** The rules of `--access`, or undefined where there are to be none. */
export const read = (access: string): Effect.Effect<ReadRules | undefined, ConfigInvalid> =>
  Effect.suspend(() => {
    if (access === "off") return Effect.undefined
    // From here on the file is this one, whatever becomes of the working directory.
    return Effect.mapError(
      Effect.fromResult(load(resolve(access))),
      (problem) => new ConfigInvalid({ setting: "--access", message: `the access rules cannot be used: ${problem}` }),
    )
  })

/** Puts what the file says now in force, if it can be. */
const reload = Effect.fnUntraced(function* (before: ReadRules, { replace }: ReplaceableAccess) {
  const loaded = load(before.path)
  if (Result.isFailure(loaded)) {
    yield* Metric.update(counted.refused, 1)
    yield* Effect.logError(`the access rules stay as they were, because the new ones cannot be used: ${loaded.failure}`)
    return before
  }
  if (loaded.success.text === before.text) return before
  const revoked = replace(loaded.success.rules)
  yield* Metric.update(counted.used, 1)
  yield* Effect.logInfo("the access rules have been read again").pipe(Effect.annotateLogs({ revoked }))
  return loaded.success
})

/** The rules that were read, kept as the file is. */
const watched = (initial: ReadRules): Layer.Layer<Access> =>
  Layer.effect(
    Access,
    Effect.gen(function* () {
      const replaceable = make(initial.rules)
      let current = initial
      const look = Effect.map(
        Effect.suspend(() => reload(current, replaceable)),
        (read) => {
          current = read
        },
      )
      yield* FollowedFiles.follow([initial.path], look)
      return replaceable.access
    }),
  )

/** The access of a node: by rules, or open to everybody. */
export const layer = (read: ReadRules | undefined): Layer.Layer<Access> =>
  Layer.merge(read === undefined ? Layer.succeed(Access, open()) : watched(read), counting)

/** Counts from nought. */
const counting = Layer.effectDiscard(Effect.andThen(Metric.modify(counted.used, 0), Metric.modify(counted.refused, 0)))
