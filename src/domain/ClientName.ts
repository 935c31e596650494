/**
 * The name of a client on the live plane, as a path of parts between dots: `plant1.sensors.t4`.
 *
 * Rules: not blank, no NUL, well-formed Unicode, at most 1,024 bytes of UTF-8 and 64 parts. Names that begin with a dot
 * belong to the bus. `NAME%%SUFFIX` is a *secondary* of the *primary* client `NAME`: a further connection of the same
 * application, with the access rules of its primary, which must be there before it.
 */
import * as Schema from "effect/Schema"
import { nameProblem } from "./Name.ts"
import { depthProblem } from "./PathPattern.ts"

/** The longest name, in bytes of UTF-8. */
export const clientNameBytesMax = 1024

/** The most parts that a name, or a mask over names, is made of. */
export const clientNamePartsMax = 64

const secondarySeparator = "%%"

/** The client that answers for the broker itself. */
export const broker = ".broker"

/** The client that gives the durable plane by RPC, and that sends what has no other sender. */
export const bus = ".bus"

/** Whether only the bus itself has such a name. */
export const isReserved = (name: string): boolean => name.startsWith(".")

/** The two parts of a name. A primary has no suffix; a suffix begins after the first `%%`. */
export const split = (name: string): { readonly primary: string; readonly suffix: string | undefined } => {
  const at = name.indexOf(secondarySeparator)
  return at === -1
    ? { primary: name, suffix: undefined }
    : { primary: name.slice(0, at), suffix: name.slice(at + secondarySeparator.length) }
}

/** The name that access rules know a client by. */
export const primaryOf = (name: string): string => split(name).primary

export const isSecondary = (name: string): boolean => name.includes(secondarySeparator)

/** What is wrong with a name that a client wants to register, as a sentence without a full stop, or `undefined`. */
export const problem = (name: string): string | undefined => {
  const wrong =
    nameProblem("client name", name, clientNameBytesMax) ?? depthProblem("client name", ".", name, clientNamePartsMax)
  if (wrong !== undefined) return wrong
  if (isReserved(name)) return `client names that begin with "." belong to the bus: ${JSON.stringify(name)}`
  const { primary, suffix } = split(name)
  if (primary === "") return `a secondary client is named after its primary, before "%%": ${JSON.stringify(name)}`
  if (suffix === "") return `a secondary client has a suffix after "%%": ${JSON.stringify(name)}`
  return undefined
}

export const ClientName = Schema.String.check(Schema.makeFilter((name: string) => problem(name)))
export type ClientName = string
