/**
 * Whose store a command means that looks after stores: a file, or that of a node elsewhere.
 *
 * A file is read here, whether a node runs on it or not: so the store of this directory's node, too. Where there is no
 * file, the node does it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Connection from "../Connection.ts"
import * as StorePath from "./StorePath.ts"
import { UsageError } from "../UsageError.ts"

export type Source = { readonly file: string } | { readonly url: string }

/** What it is called in front of people. */
export const nameOf = (source: Source): string => ("file" in source ? source.file : `the store of ${source.url}`)

/**
 * @param given what stands for the path in a sentence
 */
export const find = Effect.fnUntraced(function* (
  given: string,
  path: Option.Option<string>,
  url: Option.Option<string>,
): Effect.fn.Return<Source, UsageError> {
  if (Option.isSome(path)) {
    if (Option.isSome(url)) return yield* new UsageError({ message: `give ${given} or --url, not both` })
    return { file: yield* StorePath.find(path.value) }
  }
  const isElsewhere = Option.isSome(url) || Boolean(process.env["MILLRACE_URL"])
  const file = isElsewhere ? Option.none() : StorePath.ofThisDirectory()
  return Option.isSome(file) ? { file: file.value } : { url: Connection.findUrl(url) }
})
