/**
 * `clients`: who is connected to the live plane, as its broker says.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ListedClient, listClients } from "../../protocol/busrt/index.ts"
import * as Rpc from "../../rpc/index.ts"
import * as Output from "../io/Output.ts"
import { printable } from "../io/messageFormat.ts"
import { bytes, count } from "../io/units.ts"
import * as LiveConnection from "./LiveConnection.ts"

export interface ClientsInput extends LiveConnection.LiveInput {
  readonly filter: Option.Option<string>
  readonly json: boolean
}

interface Column {
  readonly title: string
  readonly of: (client: ListedClient) => string
  readonly isRight: boolean
}

const left = (title: string, of: Column["of"]): Column => ({ title, of, isRight: false })
const right = (title: string, of: Column["of"]): Column => ({ title, of, isRight: true })

const placeOf = ({ port, source }: ListedClient): string => {
  if (!source) return "–"
  return port ? `${source}:${port}` : source
}

const columns: ReadonlyArray<Column> = [
  left("NAME", ({ name }) => printable(name)),
  left("KIND", ({ kind }) => kind),
  left("FROM", placeOf),
  right("SENT", ({ r_frames }) => count(r_frames)),
  right("BYTES", ({ r_bytes }) => bytes(r_bytes)),
  right("GOT", ({ w_frames }) => count(w_frames)),
  right("BYTES", ({ w_bytes }) => bytes(w_bytes)),
  right("WAITING", ({ queue }) => count(queue)),
  right("CONNECTIONS", ({ instances }) => count(instances)),
]

/** As wide as what is in it. */
const table = (clients: ReadonlyArray<ListedClient>): string => {
  const cells = columns.map(({ isRight, of, title }) => {
    const texts = [title, ...clients.map(of)]
    const width = Math.max(...texts.map(({ length }) => length))
    return texts.map((text) => (isRight ? text.padStart(width) : text.padEnd(width)))
  })
  const rows = Array.from({ length: clients.length + 1 }, (_, row) => cells.map((column) => column[row]!).join("  "))
  return rows.map((row) => `${row.trimEnd()}\n`).join("")
}

export const clients = Effect.fnUntraced(function* (input: ClientsInput) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const rpc = yield* Rpc.make(yield* LiveConnection.connect(input))
      const listed = yield* listClients(rpc, Option.getOrUndefined(input.filter))
      const others = listed.filter(({ name }) => name !== rpc.name)
      yield* input.json
        ? Output.write(others.map((client) => `${JSON.stringify(client)}\n`).join(""))
        : Output.write(table(others))
    }),
  )
})
