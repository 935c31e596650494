/** Changes the tables of a store that nobody uses, behind the store's back. */
import * as Effect from "effect/Effect"
import { Environment } from "../../src/storage/lmdb/Environment.ts"

export const edit = (path: string, change: (environment: Environment) => void): Effect.Effect<void> =>
  Effect.promise(async () => {
    const environment = Environment.open({ path, durability: "fsync" }, "must be there")
    environment.transact(
      () => {
        change(environment)
        return true
      },
      () => undefined,
    )
    await environment.close()
  })
