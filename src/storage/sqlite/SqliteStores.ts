/**
 * Opens the stores in a SQLite file, on the thread that calls: the file is held, the pragmas are set and checked, and the
 * stores of `storage/sql` run over a connection of their own.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { StoreUnusable } from "../../domain/errors.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { damaged } from "../parts/Identity.ts"
import type { KeyWindow } from "../LogStore.ts"
import { resultCode, sqliteDialect } from "../sql/dialects/SqliteDialect.ts"
import * as SqlStores from "../sql/SqlStores.ts"
import { type StoreServices, toContext } from "../Stores.ts"
import {
  checkComplete,
  closing,
  foreignLogSentence,
  guardLog,
  hasForeignLog,
  hasLog,
  markOpen,
} from "./Completeness.ts"
import { removeLeftovers } from "./Leftovers.ts"
import * as SqliteClient from "./SqliteClient.ts"
import { renewLog, renewLogOnceStopped } from "./writeAheadLog.ts"
import { release, Reserve, reserveBytesDefault } from "../parts/Reserve.ts"
import { notWritable } from "../parts/StoreLock.ts"
import { hold, type StoreFile } from "./StoreFile.ts"

export interface SqliteOptions {
  /** The database file. It is made, with its directory, where it does not exist. */
  readonly path: string
  /** Whose store it is; absent: the remembered node, or the default one for a new store. */
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
  /** What an acknowledged write survives: a power cut (`fsync`, the default), or the death of the process (`os`). */
  readonly durability?: "fsync" | "os" | undefined
  /**
   * Space kept in `<path>-reserve`, so that a full disk does not stop acknowledgements and deletions; by default 32 MiB.
   * 0 for none.
   */
  readonly reserveBytes?: number | undefined
}

export interface OpenOptions extends SqliteOptions {
  /** Whether it was open before in this process: then the file must be there. */
  readonly again?: boolean | undefined
}

/** What is read comes from the database each time: nobody else has it. See `BackendModule` of the worker. */
export const pagesAreOwn = true

/** The store that writes. Held by one process; closed with the scope. */
export const layer = (options: OpenOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const file = yield* hold(options.path, options.again === true ? "must be there" : "may be made")
      removeLeftovers(file.path)
      const { reserveBytes = reserveBytesDefault } = options
      // A full disk may not even let the store be opened: what was kept for that is set free then.
      return yield* Effect.catch(open(file, options), (error) =>
        reserveBytes > 0 && release(file.path) ? open(file, options) : Effect.fail(error),
      )
    }),
  )

const open = (
  file: StoreFile,
  options: SqliteOptions,
): Effect.Effect<Context.Context<StoreServices>, StoreUnusable, Scope.Scope> =>
  withOwnScope(
    Effect.gen(function* () {
      const hadLog = hasLog(file.path)
      if (hasForeignLog(file.path)) {
        return yield* new StoreUnusable({ reason: "damaged", message: foreignLogSentence(options.path) })
      }
      yield* renewLog(file.path)
      const guard = yield* guardLog(file.path)
      const { durability = "fsync", reserveBytes = reserveBytesDefault } = options
      const client = yield* openClient(options.path, { filename: file.path })
      yield* setUp(client, options.path, durability)
      yield* sentenced(options.path, checkComplete(client, options.path, hadLog))
      yield* closing(client, guard)
      const stores = yield* SqlStores.make(client, sqliteDialect, {
        name: options.path,
        node: options.node,
        keyWindow: options.keyWindow,
        durability,
        obstacle: file.problem,
        room: reserveBytes > 0 ? yield* Reserve.open(file.path, reserveBytes) : undefined,
      })
      yield* sentenced(options.path, markOpen(client))
      yield* renewLogOnceStopped(file.path, stores)
      return toContext(stores)
    }),
  )

/** What was opened is closed at once where the rest fails, and else with the scope. */
const withOwnScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (outer) =>
    Effect.flatMap(Scope.fork(outer), (scope) =>
      Effect.onError(Scope.provide(effect, scope), () => Scope.close(scope, Exit.void)),
    ),
  )

/** A store that only reads, beside one that writes and was open before. */
export const layerReader = (options: SqliteOptions): Layer.Layer<StoreServices, StoreUnusable> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const client = yield* openClient(options.path, { filename: options.path, readonly: true })
      return toContext(
        yield* SqlStores.make(client, sqliteDialect, { name: options.path, durability: "memory", readonly: true }),
      )
    }),
  )

const openClient = (
  path: string,
  config: SqliteClient.SqliteClientConfig,
): Effect.Effect<SqlClient, StoreUnusable, Scope.Scope> =>
  SqliteClient.make(config).pipe(
    Effect.provide(Reactivity.layer),
    Effect.mapError((error) => refusal(path, error)),
  )

/** Sets the pragmas. What came of them is read back when the store is opened (`Dialect.durability`). */
const setUp = (client: SqlClient, path: string, durability: "fsync" | "os"): Effect.Effect<void, StoreUnusable> =>
  Effect.gen(function* () {
    const connection = yield* client.reserve
    const pragma = (text: string) => connection.executeValuesUnprepared(`PRAGMA ${text}`, [])
    const [[tables, ours] = []] = yield* connection.executeValuesUnprepared(
      "SELECT count(*), count(*) FILTER (WHERE name = 'millrace_meta') FROM sqlite_schema",
      [],
    )
    if (tables !== 0 && ours === 0) {
      return yield* new StoreUnusable({
        reason: "not a database",
        message: `${path} is not a database of millrace, but of another application`,
      })
    }
    const [[mode] = []] = yield* pragma("journal_mode = WAL")
    if (mode !== "wal") {
      return yield* new StoreUnusable({
        reason: "not durable enough",
        message: `${path} cannot be used in WAL mode, only in mode "${String(mode)}"`,
      })
    }
    yield* pragma(`synchronous = ${durability === "fsync" ? "FULL" : "NORMAL"}`)
    // Checkpoints cost two syncs each and write hot pages again: at 16 MiB of log instead of 4 MiB, appends of 1,000
    // messages are a sixth faster (measured).
    yield* pragma("wal_autocheckpoint = 4000")
    // What a burst has blown up, or a reader held up, shrinks again.
    yield* pragma(`journal_size_limit = ${64 * 1024 * 1024}`)
    // Elsewhere without effect; on macOS an fsync alone does not reach the disk.
    yield* pragma(`fullfsync = ${durability === "fsync" ? "ON" : "OFF"}`)
    yield* pragma(`checkpoint_fullfsync = ${durability === "fsync" ? "ON" : "OFF"}`)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SqlError", (error) => Effect.fail(refusal(path, error))),
  )

/** What the database reports while the store is opened, as a refusal. */
const sentenced = <A, E, R>(
  path: string,
  effect: Effect.Effect<A, E | SqlError, R>,
): Effect.Effect<A, Exclude<E, SqlError> | StoreUnusable, R> =>
  Effect.mapError(effect, (error) => (isSqlError(error) ? refusal(path, error) : (error as Exclude<E, SqlError>)))

const refusal = (path: string, error: SqlError): StoreUnusable => {
  switch (resultCode(error)) {
    case 26:
      return new StoreUnusable({ reason: "not a database", message: `${path} is not a SQLite database` })
    case 11:
      return damaged(path, error.message)
    case 8:
    case 14:
      return notWritable(path, error)
    default:
      return new StoreUnusable({ reason: "not available", message: `${path} cannot be opened: ${error.message}` })
  }
}
