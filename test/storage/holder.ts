/** A process that opens the store at a path, says so, and keeps it until it is killed; or closes it and ends by itself. */
import * as Effect from "effect/Effect"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { draft } from "../../src/testing/storage/fixtures.ts"

const [path, how, backend] = process.argv.slice(2) as [string, "hold" | "close", "sqlite" | "lmdb"]
const { layer, layerOnLoop } = { sqlite: Sqlite, lmdb: Lmdb }[backend]
// A store on the loop keeps no process alive.
if (how === "hold") setInterval(() => {}, 60_000)

const program = Effect.gen(function* () {
  const store = yield* LogStore
  yield* store.append([[draft("t", "from another process")]])
  process.stdout.write("open\n")
  if (how === "hold") yield* Effect.never
})
await Effect.runPromise(Effect.provide(program, how === "hold" ? layerOnLoop({ path }) : layer({ path })))
process.stdout.write("closed\n")
