/**
 * The storage of a node: for each backend what opens it, what looks after it, and how large it is.
 *
 * What a configuration does not ask for is not even loaded. A backend may need a package that is not installed with
 * millrace: then a sentence says which, and how to get it.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { StoreUnusable } from "../domain/errors.ts"
import type { Maintenance } from "../storage/Maintenance.ts"
import type { StoreServices } from "../storage/Stores.ts"
import type { StoreSizes } from "../stats/Stats.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { StartFailed } from "./StartFailed.ts"
import type { PlacedStorage } from "./StorageSetting.ts"
import * as Sizes from "./StoreSizes.ts"

/** Nothing of it is open yet. */
export interface NodeStorage {
  readonly stores: Layer.Layer<StoreServices, StoreUnusable | StartFailed>
  /** Absent where there is nothing to look after. */
  readonly maintenance?: Layer.Layer<Maintenance, StartFailed>
  /** What says, while the scope is open, how large it is now; or nothing, where that cannot be said. */
  readonly sizes: Effect.Effect<Effect.Effect<StoreSizes | undefined>, never, Scope.Scope>
}

const isInstalled = (name: string): boolean => {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    // Whatever is the matter with it: it cannot be loaded.
    return false
  }
}

/** Loads a backend; fails where the package is not installed that it needs, in whatever thread. */
const load = <Module>(
  backend: string,
  name: string,
  module: () => Promise<Module>,
): Effect.Effect<Module, StartFailed> =>
  Effect.suspend(() =>
    isInstalled(name)
      ? Effect.promise(module)
      : Effect.fail(
          new StartFailed({ message: `--storage ${backend}: needs the package ${name}: npm install ${name}` }),
        ),
  )

/** A layer of a module that is loaded when the layer is built. */
const from = <Module, A, E, E2>(
  module: Effect.Effect<Module, E>,
  layer: (module: Module) => Layer.Layer<A, E2>,
): Layer.Layer<A, E | E2> => Layer.unwrap(Effect.map(module, layer))

/** What a storage promises that keeps anything: nobody could ask it for less (`ConfigSources`). */
const durabilityOf = ({ durability }: NodeConfig): "fsync" | "os" => (durability === "memory" ? "os" : durability)

const memory = ({ node }: NodeConfig): NodeStorage => ({
  stores: from(
    Effect.promise(() => import("../storage/memory/index.ts")),
    (Memory) => Memory.layer({ node }),
  ),
  sizes: Effect.succeed(Effect.undefined),
})

const sqlite = (path: string, config: NodeConfig): NodeStorage => {
  const module = Effect.promise(() => import("../storage/sqlite/index.ts"))
  return {
    stores: from(module, (Sqlite) => Sqlite.layer({ path, node: config.node, durability: durabilityOf(config) })),
    maintenance: from(module, (Sqlite) => Sqlite.layerMaintenance({ path })),
    sizes: Effect.succeed(Sizes.ofFile(path, `${path}-wal`)),
  }
}

const lmdb = (path: string, config: NodeConfig): NodeStorage => {
  const module = load("lmdb", "lmdb", () => import("../storage/lmdb/index.ts"))
  return {
    stores: from(module, (Lmdb) => Lmdb.layer({ path, node: config.node, durability: durabilityOf(config) })),
    maintenance: from(module, (Lmdb) => Lmdb.layerMaintenance({ path })),
    sizes: Effect.succeed(Sizes.ofFile(join(path, "data.mdb"), undefined)),
  }
}

const postgres = (url: Redacted.Redacted, config: NodeConfig): NodeStorage => {
  const module = load("postgres", "@effect/sql-pg", () => import("../storage/postgres/index.ts"))
  return {
    stores: from(module, (Postgres) => Postgres.layer({ url, node: config.node, durability: durabilityOf(config) })),
    maintenance: from(module, (Postgres) => Postgres.layerMaintenance({ url })),
    sizes: Effect.gen(function* () {
      const { sizing } = yield* Effect.orDie(module)
      const sizeBytes = yield* sizing({ url })
      // Who cannot reach the database says so elsewhere.
      return Effect.orElseSucceed(Effect.map(sizeBytes, ofDatabase), () => undefined)
    }),
  }
}

const ofDatabase = (databaseBytes: number): StoreSizes => ({
  databaseBytes,
  walBytes: undefined,
  freeBytes: undefined,
})

/** The storage that a node is configured to have. */
export const make = (storage: PlacedStorage, config: NodeConfig): NodeStorage => {
  switch (storage.backend) {
    case "memory":
      return memory(config)
    case "sqlite":
      return sqlite(storage.path, config)
    case "lmdb":
      return lmdb(storage.path, config)
    case "postgres":
      return postgres(storage.url, config)
  }
}
