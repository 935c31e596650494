/**
 * The tables of a store and what the store remembers of itself: its format version, its node, its incarnation.
 *
 * A format is a list of statements for each version (`Dialect.migrations`); opening brings an older store up to date
 * in one transaction and refuses a newer one, which an older program would damage. (Effect's own Migrator does
 * neither: it knows no format that is too new, and one transaction per store is not its way of working.)
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { StoreUnusable } from "../../domain/errors.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { backupState, damaged, decodeNode, encodeNode, type Identity, newer, resolveNode } from "../parts/Identity.ts"
import type { Dialect } from "./Dialect.ts"
import type { Session } from "./Session.ts"

export const metaTable = "CREATE TABLE millrace_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
const createMeta = metaTable.replace("TABLE", "TABLE IF NOT EXISTS")
const selectMeta = "SELECT name, value FROM millrace_meta"
const insertMeta = "INSERT INTO millrace_meta (name, value) VALUES (?, ?)"
const updateMeta = "UPDATE millrace_meta SET value = ? WHERE name = ?"

/** Creates the tables, or brings them up to date; to be run within a transaction. Gives what the store says of itself. */
const bringUpToDate = (
  session: Session,
  dialect: Dialect,
  store: string,
): Effect.Effect<ReadonlyMap<string, string>, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const current = dialect.migrations.length
    yield* session.run(createMeta, [])
    const meta = yield* readMeta(session)
    const format = meta.has("format") ? formatOf(meta) : 0
    if (format > current) return yield* newer(store, format, current)
    for (const statements of dialect.migrations.slice(format)) {
      for (const statement of statements) yield* session.run(statement, [])
    }
    if (format === 0) yield* session.run(insertMeta, ["format", String(current)])
    else if (format < current) yield* session.run(updateMeta, [String(current), "format"])
    return meta
  })

/**
 * The same, for a store that several nodes share. Gives its incarnation.
 *
 * @param store the store's name in a refusal
 */
export const prepareTables = (
  session: Session,
  dialect: Dialect,
  store: string,
): Effect.Effect<string, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const known = (yield* bringUpToDate(session, dialect, store)).get("incarnation")
    if (known !== undefined) return known
    const incarnation = randomUUID()
    yield* session.run(insertMeta, ["incarnation", incarnation])
    return incarnation
  })

/**
 * The same, for a store that belongs to one node, and settles whose it is.
 *
 * @param store the store's name in a refusal
 * @param asked the node that wants it; absent: whoever it belongs to
 */
export const prepare = (
  session: Session,
  dialect: Dialect,
  store: string,
  asked: NodeId | undefined,
): Effect.Effect<Identity, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const meta = yield* bringUpToDate(session, dialect, store)
    const node = resolveNode(store, yield* nodeOf(store, meta), asked)
    if (node instanceof StoreUnusable) return yield* node
    // What was a backup goes its own way from here on: cursors of the store it was taken from mean nothing in it.
    const isBackup = meta.get("state") === backupState
    const incarnation = isBackup ? randomUUID() : (meta.get("incarnation") ?? randomUUID())
    if (!meta.has("format")) {
      yield* session.run(insertMeta, ["node", encodeNode(node)])
      yield* session.run(insertMeta, ["incarnation", incarnation])
      yield* session.run(insertMeta, ["state", "closed"])
    }
    if (isBackup) {
      yield* session.run(updateMeta, [incarnation, "incarnation"])
      yield* session.run(updateMeta, ["closed", "state"])
    }
    return { node, incarnation }
  })

/** Reads whose store it is, of a store that is prepared. */
export const readIdentity = (
  session: Session,
  dialect: Dialect,
  store: string,
): Effect.Effect<Identity, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const meta = yield* readMeta(session)
    const node = yield* nodeOf(store, meta)
    const incarnation = meta.get("incarnation")
    if (node === undefined || incarnation === undefined) {
      return yield* new StoreUnusable({ reason: "not a database", message: `${store} has not been prepared` })
    }
    if (formatOf(meta) > dialect.migrations.length) {
      return yield* newer(store, formatOf(meta), dialect.migrations.length)
    }
    return { node, incarnation }
  })

const readMeta = (session: Session): Effect.Effect<ReadonlyMap<string, string>, SqlError> =>
  Effect.map(
    session.values(selectMeta, []),
    (rows) => new Map(rows.map(([name, value]) => [name as string, value as string])),
  )

// A format that is no number was not written by any version of ours so far: then it is newer.
const formatOf = (meta: ReadonlyMap<string, string>): number => {
  const format = Number(meta.get("format"))
  return Number.isSafeInteger(format) ? format : Number.POSITIVE_INFINITY
}

const nodeOf = (store: string, meta: ReadonlyMap<string, string>): Effect.Effect<NodeId | undefined, StoreUnusable> => {
  const text = meta.get("node")
  if (text === undefined) return Effect.undefined
  const node = decodeNode(text)
  return Option.isSome(node)
    ? Effect.succeed(node.value)
    : Effect.fail(damaged(store, `whose it is cannot be read: ${text}`))
}
