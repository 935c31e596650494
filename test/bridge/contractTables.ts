/** What `.bus` can be asked, as tables of Markdown, made from the schemas that it is served by. */
import type * as SchemaAST from "effect/SchemaAST"
import * as cursors from "../../src/bridge/contract/cursors.ts"
import { type BusErrorTag, errorCodes } from "../../src/bridge/contract/errors.ts"
import { headers, type Method, Place } from "../../src/bridge/contract/Method.ts"
import * as queues from "../../src/bridge/contract/queues.ts"
import * as subscriptions from "../../src/bridge/contract/subscriptions.ts"
import * as topics from "../../src/bridge/contract/topics.ts"

/** Shapes that have a name and a row of their own. */
const named = {
  Draft: topics.Draft,
  Stored: topics.Stored,
  Message: topics.Message,
  Place,
  CursorState: cursors.CursorState,
  Added: queues.Added,
  Item: queues.Item,
  Outcome: queues.Outcome,
  QueueState: queues.QueueState,
}

const names = new Map<SchemaAST.AST, string>([
  ...Object.entries(named).map(([name, { ast }]) => [ast, name] as const),
  [headers.ast, "map of texts"],
])

const isNothing = ({ _tag }: SchemaAST.AST): boolean => _tag === "Null" || _tag === "Undefined"

const fieldsOf = (ast: SchemaAST.AST): string => {
  if (ast._tag !== "Objects") return ""
  const fields = ast.propertySignatures.map(({ name, type }) => {
    const isOptional = type.context?.isOptional === true
    return `${String(name)}${isOptional ? "?" : ""}: ${typeOf(type)}`
  })
  return fields.join(", ")
}

const typeOf = (ast: SchemaAST.AST): string => {
  const name = names.get(ast)
  if (name !== undefined) return name
  switch (ast._tag) {
    case "String":
      return "text"
    case "Number":
      return "int"
    case "Boolean":
      return "bool"
    case "Declaration":
      return "bytes"
    case "Literal":
      return JSON.stringify(ast.literal)
    case "Union":
      return ast.types
        .filter((type) => !isNothing(type))
        .map(typeOf)
        .join(" or ")
    case "Arrays":
      return `[${ast.rest.map(typeOf).join(", ")}]`
    case "Objects":
      return `{${fieldsOf(ast)}}`
    default:
      throw new Error(`there is no word for ${ast._tag}`)
  }
}

const cell = (text: string): string => (text === "" ? "" : `\`${text}\``)

const shape = (ast: SchemaAST.AST): string => cell(names.get(ast) ?? fieldsOf(ast))

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const methodTable = (methods: ReadonlyArray<Method>): string =>
  table(
    ["method", "what it does", "parameters", "result", "can also fail with"],
    methods.map(({ about, errors, name, params, result }) => [
      cell(name),
      about,
      shape(params.ast),
      shape(result.ast),
      errors.map(cell).join(", "),
    ]),
  )

export const groups = { topics, subscriptions, cursors, queues }

export const tables: Readonly<Record<string, string>> = {
  topics: methodTable(topics.methods),
  subscriptions: methodTable(subscriptions.methods),
  cursors: methodTable(cursors.methods),
  queues: methodTable(queues.methods),
  shapes: table(
    ["shape", "fields"],
    Object.entries(named).map(([name, { ast }]) => [cell(name), cell(fieldsOf(ast))]),
  ),
  errors: table(
    ["code", "error"],
    (Object.keys(errorCodes) as ReadonlyArray<BusErrorTag>).map((tag) => [cell(`${errorCodes[tag]}`), cell(tag)]),
  ),
}
