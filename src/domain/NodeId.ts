/**
 * The identity of a node: who published a message, and whose log it is in.
 *
 * Its parts are what msgbus calls tenant_id, bl_name and device_id. As text it is `tenant/line/device`, with `%` and
 * `/` inside a part written `%25` and `%2F`, so that the text form names exactly one node.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InvalidArgument } from "./errors.ts"
import { nameProblem } from "./Name.ts"

const part = (what: string) => Schema.String.check(Schema.makeFilter((text: string) => nameProblem(what, text, 255)))

/** A node's identity; every part is non-blank, without NUL, at most 255 bytes of UTF-8. */
export const NodeId = Schema.Struct({
  tenant: part("tenant"),
  line: part("line"),
  device: part("device"),
})

export interface NodeId {
  readonly tenant: string
  readonly line: string
  readonly device: string
}

/** What a node is called where nobody named it. */
export const defaultNodeId: NodeId = { tenant: "tenant", line: "default", device: "device" }

const escapePart = (text: string): string => text.replace(/[%/]/g, (c) => (c === "%" ? "%25" : "%2F"))
const unescapePart = (text: string): string => text.replace(/%2[5Ff]/g, (c) => (c === "%25" ? "%" : "/"))

/** `tenant/line/device`. */
export const format = (node: NodeId): string =>
  `${escapePart(node.tenant)}/${escapePart(node.line)}/${escapePart(node.device)}`

/** A string that is equal for equal nodes only: a key for Maps. */
export const key = (node: NodeId): string => `${node.tenant}\0${node.line}\0${node.device}`

export const equals = (a: NodeId, b: NodeId): boolean =>
  a === b || (a.tenant === b.tenant && a.line === b.line && a.device === b.device)

/** What is wrong with a node's identity, or `undefined`. */
export const problem = (node: NodeId): string | undefined =>
  nameProblem("tenant", node.tenant, 255) ??
  nameProblem("line", node.line, 255) ??
  nameProblem("device", node.device, 255)

/** Reads `tenant/line/device`. */
export const parse = (text: string): Effect.Effect<NodeId, InvalidArgument> =>
  Effect.suspend(() => {
    const [tenant, line, device, ...rest] = text.split("/").map(unescapePart)
    if (tenant === undefined || line === undefined || device === undefined || rest.length > 0) {
      return new InvalidArgument({
        argument: "node",
        message: `a node is written tenant/line/device, not ${JSON.stringify(text)}`,
      })
    }
    return check({ tenant, line, device })
  })

/** The same node, or why it cannot be one. */
export const check = (node: NodeId): Effect.Effect<NodeId, InvalidArgument> => {
  const wrong = problem(node)
  return wrong === undefined
    ? Effect.succeed(node)
    : Effect.fail(new InvalidArgument({ argument: "node", message: wrong }))
}
