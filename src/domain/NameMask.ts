/**
 * A pattern over the names of clients: `?` stands for any one part, a final `*` for any rest of at least one part.
 *
 * `?.test.*` matches `g1.test.client1` and `g1.test.sub.client2`; `a.*` matches `a.b` and `a.b.c`, but not `a`; what
 * follows a `*` is ignored. A wildcard beside other characters is no wildcard: `a*` matches the client of just that
 * name. Secondary clients match as clients of their own. A name is also a mask, which matches that name.
 */
import * as Schema from "effect/Schema"
import { clientNameBytesMax, clientNamePartsMax } from "./ClientName.ts"
import { nameProblem } from "./Name.ts"
import * as PathPattern from "./PathPattern.ts"

const syntax: PathPattern.Syntax = { separator: ".", one: "?", rest: "*" }

/** What is wrong with a mask, as a sentence without a full stop, or `undefined`. */
export const problem = (mask: string): string | undefined =>
  nameProblem("name mask", mask, clientNameBytesMax) ??
  PathPattern.depthProblem("name mask", syntax.separator, mask, clientNamePartsMax)

/** Whether the mask can match more than one name. */
export const hasWildcard = (mask: string): boolean => PathPattern.hasWildcard(syntax, mask)

/** A function that tells whether a name matches. Make it once, use it often. */
export const matcher = (mask: string): ((name: string) => boolean) => PathPattern.matcher(syntax, mask)

/** Whether a name matches a mask. */
export const matches = (mask: string, name: string): boolean => matcher(mask)(name)

/** A function that tells whether a mask matches nothing but what this one does. Make it once, use it often. */
export const container = (mask: string): ((inner: string) => boolean) => PathPattern.container(syntax, mask)

export const NameMask = Schema.String.check(Schema.makeFilter((mask: string) => problem(mask)))
export type NameMask = string
