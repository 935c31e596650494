/**
 * Whose store a command means that looks after stores: one that can be reached from here, or that of a node elsewhere.
 *
 * What can be reached is read here, whether a node runs on it or not: so the store of this directory's node, too. Where
 * there is none, the node does it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ConfigInvalid } from "../../node/ConfigInvalid.ts"
import * as ConfigSources from "../../node/ConfigSources.ts"
import * as StorePath from "./StorePath.ts"
import { UsageError } from "../UsageError.ts"
import { findTarget, type NodeAt, type Target } from "../NodeAt.ts"

export type Source = { readonly store: StorePath.Store } | Target

/** What it is called in front of people. */
export const nameOf = (source: Source): string =>
  "store" in source ? StorePath.nameOf(source.store) : `the store of ${source.url}`

export interface Given {
  readonly path: Option.Option<string>
  readonly at: NodeAt
  readonly config: Option.Option<string>
}

/** Whether the node that is configured by variables has its store somewhere else. */
const isConfigured = (): boolean =>
  [ConfigSources.variableOf("config"), ConfigSources.variableOf("storage")].some((name) => Boolean(process.env[name]))

/**
 * @param pathName what stands for the path in a sentence
 */
export const find = Effect.fnUntraced(function* (
  pathName: string,
  { at, config, path }: Given,
): Effect.fn.Return<Source, UsageError | ConfigInvalid> {
  if ([path, at.url, config].filter(Option.isSome).length > 1) {
    return yield* new UsageError({ message: `give one of ${pathName}, --url and --config` })
  }
  if (Option.isSome(path)) return { store: yield* StorePath.find(path.value) }
  const isElsewhere = Option.isSome(at.url) || (Option.isNone(config) && Boolean(process.env["MILLRACE_URL"]))
  if (isElsewhere) return yield* findTarget(at)
  if (Option.isSome(config) || isConfigured()) return { store: yield* StorePath.ofConfiguration(config) }
  const store = StorePath.ofThisDirectory()
  return Option.isSome(store) ? { store: store.value } : yield* findTarget(at)
})
