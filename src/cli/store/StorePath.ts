/**
 * Which store a command means that looks after stores without their nodes: one at a path, or one that is written as in
 * `--storage`, or that of a configuration.
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ConfigInvalid } from "../../node/ConfigInvalid.ts"
import * as ConfigSources from "../../node/ConfigSources.ts"
import * as StorageSetting from "../../node/StorageSetting.ts"
import { defaultDirectory } from "../NodeAt.ts"
import { UsageError } from "../UsageError.ts"

/** A store that is somewhere. */
export type Store = Exclude<StorageSetting.PlacedStorage, { readonly backend: "memory" }>

/** What it is called in front of people. */
export const nameOf = (store: Store): string => (store.backend === "sqlite" ? store.path : StorageSetting.format(store))

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true
const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

const exists = (store: Store): boolean => {
  switch (store.backend) {
    case "sqlite":
      return isFile(store.path)
    case "lmdb":
      return isFile(join(store.path, "data.mdb"))
    case "postgres":
      // Whoever connects will see.
      return true
  }
}

const checked = (storage: StorageSetting.PlacedStorage): Effect.Effect<Store, UsageError> => {
  if (storage.backend === "memory") {
    return Effect.fail(new UsageError({ message: "what is in memory only its node can reach: name that with --url" }))
  }
  return exists(storage)
    ? Effect.succeed(storage)
    : Effect.fail(new UsageError({ message: `there is no store at ${nameOf(storage)}` }))
}

/** What a path may stand for: a database, a directory that is one, or a data directory. */
const candidates = (path: string): ReadonlyArray<Store> =>
  isDirectory(path) ? [...inDirectory(path), { backend: "lmdb", path }] : [{ backend: "sqlite", path }]

const inDirectory = (directory: string): ReadonlyArray<Store> => [
  { backend: "sqlite", path: join(directory, StorageSetting.nameInDirectory.sqlite) },
  { backend: "lmdb", path: join(directory, StorageSetting.nameInDirectory.lmdb) },
]

/** The store that an argument means. */
export const find = (text: string): Effect.Effect<Store, UsageError> =>
  Effect.suspend(() => {
    const storage = StorageSetting.parse(text)
    if (storage === undefined) {
      const found = candidates(text).find(exists)
      const name = StorageSetting.isUrl(text) ? StorageSetting.quote(text) : text
      return found === undefined
        ? Effect.fail(new UsageError({ message: `there is no store at ${name}` }))
        : Effect.succeed(found)
    }
    if (StorageSetting.hasPassword(storage)) {
      return Effect.fail(new UsageError({ message: `the URL ${ConfigSources.whyNoPassword}` }))
    }
    return checked(StorageSetting.place(ConfigSources.withPassword(storage, process.env), defaultDirectory))
  })

/** The store of a node that is configured by this file, or by variables. */
export const ofConfiguration = (config: Option.Option<string>): Effect.Effect<Store, UsageError | ConfigInvalid> =>
  Effect.gen(function* () {
    const flags = Option.isNone(config) ? {} : { config: config.value }
    const { data, storage } = yield* ConfigSources.load({ flags, environment: process.env })
    return yield* checked(StorageSetting.place(storage, data))
  })

/** The store of this directory's node, where it has one. */
export const ofThisDirectory = (): Option.Option<Store> =>
  Option.fromUndefinedOr(inDirectory(defaultDirectory).find(exists))
