/**
 * `clients`: who is connected to the live plane, as its broker says.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ListedClient, listClients } from "../../protocol/busrt/index.ts"
import * as Rpc from "../../rpc/index.ts"
import * as Output from "../io/Output.ts"
import { printable } from "../io/messageFormat.ts"
import { type Column, left, right, table } from "../io/table.ts"
import { bytes, count } from "../io/units.ts"
import * as LiveConnection from "./LiveConnection.ts"

export interface ClientsInput extends LiveConnection.LiveInput {
  readonly filter: Option.Option<string>
  readonly json: boolean
}

const placeOf = ({ port, source }: ListedClient): string => {
  if (!source) return "–"
  return port ? `${source}:${port}` : source
}

const columns: ReadonlyArray<Column<ListedClient>> = [
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

export const clients = Effect.fnUntraced(function* (input: ClientsInput) {
  yield* Effect.scoped(
    Effect.gen(function* () {
      const rpc = yield* Rpc.make(yield* LiveConnection.connect(input))
      const listed = yield* listClients(rpc, Option.getOrUndefined(input.filter))
      const others = listed.filter(({ name }) => name !== rpc.name)
      yield* input.json
        ? Output.write(others.map((client) => `${JSON.stringify(client)}\n`).join(""))
        : Output.write(table(columns, others))
    }),
  )
})
