/**
 * Opens the stores in a directory, on the thread that calls: the directory is held, its data are looked at before LMDB
 * maps them, and the stores work on the environment.
 */
import { fsyncSync, closeSync, openSync, renameSync, rmSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { StoreUnusable } from "../../domain/errors.ts"
import { defaultNodeId, type NodeId } from "../../domain/NodeId.ts"
import { damaged } from "../parts/Identity.ts"
import { KnownLogs } from "../parts/KnownLogs.ts"
import { KnownQueues } from "../parts/KnownQueues.ts"
import { defaultKeyWindow, type KeyWindow } from "../LogStore.ts"
import { release, Reserve, reserveBytesDefault } from "../parts/Reserve.ts"
import { type StoreServices, toContext } from "../Stores.ts"
import { notWritable } from "../parts/StoreLock.ts"
import { Commits, messageOf } from "./Commits.ts"
import { Environment, type EnvironmentOptions, NotAStore } from "./Environment.ts"
import { catchUp, readEnd } from "./Journal.ts"
import * as LmdbCursorStore from "./LmdbCursorStore.ts"
import * as LmdbLogStore from "./LmdbLogStore.ts"
import * as LmdbQueueStore from "./LmdbQueueStore.ts"
import * as LmdbRecordStore from "./LmdbRecordStore.ts"
import { isBackup, readIdentity, writeNew, writeRestored } from "./Meta.ts"
import { Space } from "./Space.ts"
import { wrongEnd } from "./StartCheck.ts"
import {
  dataPath,
  hasData,
  hold,
  prepareData,
  removeUnfinished,
  type StoreDirectory,
  syncDirectory,
  unfinishedPath,
} from "./StoreDirectory.ts"

export interface LmdbOptions {
  /** The directory. It is made where it does not exist. */
  readonly path: string
  /** Whose store it is; absent: the remembered node, or the default one for a new store. */
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
  /** What an acknowledged write survives: a power cut (`fsync`, the default), or the death of the process (`os`). */
  readonly durability?: "fsync" | "os" | undefined
  /**
   * Space kept in `data.mdb-reserve`, and in a file of bounded size below its bound, so that a full disk or a full file does
   * not stop acknowledgements and deletions; by default 32 MiB. 0 for none.
   */
  readonly reserveBytes?: number | undefined
  /** How large `data.mdb` may become, about; absent: as large as the disk. */
  readonly fileBytesMax?: number | undefined
}

export interface OpenOptions extends LmdbOptions {
  /** Whether it was open before in this process: then the data must be there. */
  readonly again?: boolean | undefined
}

/** What is read is copied from the map each time: nobody else has it. See `BackendModule` of the worker. */
export const pagesAreOwn = true

/** The store that writes. Held by one process; closed with the scope. */
export const layer = (options: OpenOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const directory = yield* hold(options.path)
      const { reserveBytes = reserveBytesDefault } = options
      // A full disk may not even let the store be opened: what was kept for that is set free then.
      yield* Effect.catch(prepare(directory, options), (error) =>
        reserveBytes > 0 && release(dataPath(directory.path)) ? prepare(directory, options) : Effect.fail(error),
      )
      return toContext(yield* open(directory, options))
    }),
  )

/** A store that only reads, beside one that writes and was open before. */
export const layerReader = (options: LmdbOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { durability = "fsync", path } = options
      const environment = yield* openEnvironment(path, { path, durability, readonly: true })
      const { tables } = environment
      const identity = readIdentity(tables, path, undefined)
      if ("_tag" in identity) return yield* identity
      const commits = new Commits(environment, () => "the store is open to read only")
      const logs = LmdbLogStore.make({
        tables,
        commits,
        identity,
        durability,
        keyWindow: defaultKeyWindow,
        journal: { logs: new KnownLogs(), end: 0 },
        readonly: true,
        space: undefined,
      })
      const queues = LmdbQueueStore.make({ tables, commits, queues: new KnownQueues() })
      return toContext({
        logs,
        queues,
        cursors: LmdbCursorStore.make(tables, commits),
        records: LmdbRecordStore.make(tables, commits),
      })
    }),
  )

/** Sees to it that there are data which LMDB can be given. */
const prepare = ({ path }: StoreDirectory, options: OpenOptions): Effect.Effect<void, StoreUnusable> =>
  Effect.gen(function* () {
    removeUnfinished(path)
    if (!hasData(path)) {
      if (options.again === true) {
        const message = `the file ${dataPath(options.path)} is gone`
        return yield* new StoreUnusable({ reason: "not available", message })
      }
      yield* create(path, options.node ?? defaultNodeId)
    }
    yield* prepareData(options.path, path)
  })

/** Makes the data of a new store, which are there when they are whole and on the disk. */
const create = (directory: string, node: NodeId): Effect.Effect<void, StoreUnusable> => {
  const unfinished = unfinishedPath(directory)
  return Effect.tryPromise({
    try: async () => {
      const environment = Environment.open({ path: unfinished, isFile: true, durability: "memory" }, "are made")
      try {
        environment.transact(
          () => {
            writeNew(environment.tables, node)
            return true
          },
          () => undefined,
        )
      } finally {
        await environment.close()
      }
      const file = openSync(unfinished, "r+")
      try {
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(unfinished, dataPath(directory))
      rmSync(`${unfinished}-lock`, { force: true })
      syncDirectory(directory)
    },
    catch: (error) => notWritable(dataPath(directory), error),
  })
}

const openEnvironment = (
  store: string,
  options: EnvironmentOptions,
): Effect.Effect<Environment, StoreUnusable, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => Environment.open(options, "must be there"),
      catch: (error) =>
        error instanceof NotAStore
          ? new StoreUnusable({
              reason: "not a database",
              message: `${store} is not a store of millrace, but an environment of another application`,
            })
          : new StoreUnusable({ reason: "not available", message: `${store} cannot be opened: ${messageOf(error)}` }),
    }),
    (environment) => Effect.promise(() => environment.close()),
  )

const open = (directory: StoreDirectory, options: OpenOptions) =>
  Effect.gen(function* () {
    const { durability = "fsync", fileBytesMax, path, reserveBytes = reserveBytesDefault } = options
    const environment = yield* openEnvironment(path, { path: directory.path, durability })
    const { tables } = environment
    const logs = new KnownLogs()
    const queues = new KnownQueues()
    const opened = yield* readAtStart(path, environment, () => {
      const identity = readIdentity(tables, path, options.node)
      if ("_tag" in identity) return identity
      catchUp(tables, logs)
      LmdbQueueStore.load(tables, queues)
      const end = readEnd(tables)
      const wrong = wrongEnd(tables, logs, end)
      return wrong === undefined ? { identity, end, isBackup: isBackup(tables) } : damaged(path, wrong)
    })
    const identity = opened.isBackup ? yield* restore(path, environment, options.node) : opened.identity
    const data = dataPath(directory.path)
    const reserve = reserveBytes > 0 ? yield* Reserve.open(data, reserveBytes) : undefined
    const usage = () => environment.usage
    const space = new Space({ path: data, usage, reserve, reserveBytes, fileBytesMax })
    const commits = new Commits(environment, directory.problem, space)
    const keyWindow = options.keyWindow ?? defaultKeyWindow
    const journal = { logs, end: opened.end }
    const shared = { tables, commits }
    return {
      logs: LmdbLogStore.make({ ...shared, identity, durability, keyWindow, journal, readonly: false, space }),
      queues: LmdbQueueStore.make({ ...shared, queues }),
      cursors: LmdbCursorStore.make(tables, commits),
      records: LmdbRecordStore.make(tables, commits),
    }
  })

/** Reads what has to be known; whatever goes wrong then is damage. */
const readAtStart = <A>(
  store: string,
  environment: Environment,
  read: () => A | StoreUnusable,
): Effect.Effect<Exclude<A, StoreUnusable>, StoreUnusable> =>
  Effect.suspend(() => {
    try {
      const result = read()
      return result instanceof StoreUnusable ? Effect.fail(result) : Effect.succeed(result as Exclude<A, StoreUnusable>)
    } catch (error) {
      return Effect.fail(damaged(store, messageOf(error)))
    } finally {
      environment.endRead()
    }
  })

/** What was a backup goes its own way from here on. */
const restore = (store: string, environment: Environment, asked: NodeId | undefined) =>
  Effect.flatMap(
    Effect.try({
      try: () =>
        environment.transact(
          () => {
            writeRestored(environment.tables)
            return true
          },
          () => undefined,
        ),
      catch: (error) => notWritable(dataPath(store), error),
    }),
    () => readAtStart(store, environment, () => readIdentity(environment.tables, store, asked)),
  )
