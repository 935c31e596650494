/**
 * Opens the stores in a PostgreSQL database: looks at the server, makes the tables, becomes the node, and stays present
 * as it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { StoreUnusable } from "../../domain/errors.ts"
import { format, type NodeId } from "../../domain/NodeId.ts"
import type { Stores } from "../Stores.ts"
import { postgresDialect, quoted } from "../sql/dialects/PostgresDialect.ts"
import type { Dialect } from "../sql/Dialect.ts"
import { prepareTables } from "../sql/Format.ts"
import { LogTable } from "../sql/LogTable.ts"
import { QueueTable } from "../sql/QueueTable.ts"
import { type Session, withSession } from "../sql/Session.ts"
import * as SqlStores from "../sql/SqlStores.ts"
import { checkEnds } from "../sql/StartCheck.ts"
import type { OpenLine } from "./Line.ts"
import { channelOf, fencedSentence, lockClassOf, lockJournal, makeSharing, register, takeEpoch } from "./Membership.ts"
import * as PostgresHolders from "./PostgresHolders.ts"
import type { SharedOptions } from "./PostgresOptions.ts"
import { type HeldLine, stay, takeLine } from "./Presence.ts"

export interface OpenOptions extends SharedOptions {
  /** What the store is called in errors. */
  readonly name: string
  /** As whom it was open before in this process, if it was. */
  readonly before?: OpenedAs | undefined
}

/** Who a process is to the other nodes. */
export interface OpenedAs {
  readonly number: number
  readonly epoch: number
}

/** How long the lock of a node is waited for, whose last process has perhaps just ended. */
const lockMillisMax = 1000
const lockPauseMillis = 25

/** PostgreSQL versions that are known to do. */
const versionMin = 13

export const open = (
  client: SqlClient,
  openLine: OpenLine,
  options: OpenOptions,
): Effect.Effect<Stores & { readonly openedAs: OpenedAs }, StoreUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const { name } = options
    const schema = yield* checkServer(client, options)
    const dialect = postgresDialect(schema)
    const inSession = <A, E>(use: (session: Session) => Effect.Effect<A, E>) =>
      SqlStores.unusable(dialect, name, withSession(client, dialect, use))
    const durability = yield* SqlStores.checkDurability(client, dialect, options)
    const lockClass = lockClassOf(schema)
    const { incarnation, node, number } = yield* inSession((session) =>
      inTransaction(session, dialect, prepare(session, dialect, schema, lockClass, options)),
    )
    const identity = { lockClass, number }
    const held = yield* becomeAlone(openLine, dialect, identity, node, options)
    yield* Effect.addFinalizer(() => Scope.close(held.scope, Exit.void))

    const channel = channelOf(schema)
    const logs = new LogTable()
    const queues = new QueueTable()
    const opened = yield* inSession((session) =>
      Effect.andThen(
        checkEnds(session, name),
        inTransaction(
          session,
          dialect,
          Effect.gen(function* () {
            const epoch = yield* takeEpoch(session, number)
            const place = yield* lockJournal(session)
            yield* logs.catchUp(session)
            const [[keys] = []] = yield* session.values("SELECT count(*) FROM millrace_keys WHERE node = ?", [number])
            return { ...place, epoch, keys: keys as number }
          }),
        ),
      ),
    )
    const { epoch, ...place } = opened
    const membership = { number, epoch, channel }
    const { transaction, ...stores } = SqlStores.over(
      client,
      dialect,
      { ...place, identity: { node, incarnation }, durability, logs, queues, sharing: makeSharing(node, membership) },
      options,
    )
    const holders = yield* PostgresHolders.make(transaction, membership, lockClass)
    const moved = new Set<(end: number) => void>()
    const enqueued = new Set<(queue: string) => void>()
    const runFork = Effect.runForkWith(yield* Effect.context<never>())

    const onTold = (told: string): void => {
      const [what, who, ...rest] = told.split(" ")
      if (Number(who) === number) return
      if (what === "moved") for (const listener of moved) listener(Number(rest[0]))
      else if (what === "enqueued") for (const listener of enqueued) listener(rest.join(" "))
      else runFork(presence.look)
    }
    const presence = yield* stay(held, {
      openLine,
      dialect,
      identity,
      epoch,
      channel,
      pollInterval: Duration.fromInputUnsafe(options.pollInterval ?? "1 second"),
      alsoLook: holders.look,
      onLook: (end) => {
        for (const listener of moved) listener(end)
      },
      onTold,
      onFenced: () => transaction.stop(fencedSentence(node)),
      onRestarted: () => transaction.stop("the server was started again"),
    })

    return {
      logs: { ...stores.logs, onMoved: (listener) => added(moved, listener) },
      queues: { ...stores.queues, onEnqueued: (listener) => added(enqueued, listener) },
      cursors: stores.cursors,
      records: stores.records,
      holders: holders.service,
      openedAs: { number, epoch },
    }
  })

const added = <A>(set: Set<A>, one: A): (() => void) => {
  set.add(one)
  return () => void set.delete(one)
}

/** Runs a body in a transaction; rolled back where it fails. */
const inTransaction = <A, E>(
  session: Session,
  { begin }: Dialect,
  body: Effect.Effect<A, E>,
): Effect.Effect<A, E | SqlError> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      yield* session.run(begin, [])
      const result = yield* Effect.onError(body, () => Effect.ignore(session.run("ROLLBACK", [])))
      yield* session.run("COMMIT", [])
      return result
    }),
  )

const selectServer = `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
  pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', current_schema(), version()`

/** Whether the server is one that can be written to as is needed. Gives the schema of the store. */
const checkServer = (client: SqlClient, { name, schema }: OpenOptions): Effect.Effect<string, StoreUnusable> => {
  const dialect = postgresDialect(schema ?? "public")
  return SqlStores.unusable(
    dialect,
    name,
    withSession(client, dialect, (session) =>
      Effect.gen(function* () {
        const [row] = yield* session.values(selectServer, [])
        const [version, encoding, isReadOnly, current, full] = row as readonly [number, string, boolean, string, string]
        const refuse = (reason: StoreUnusable["reason"], what: string) =>
          new StoreUnusable({ reason, message: `${name} cannot be used: ${what}` })
        if (version < versionMin * 10_000) {
          return yield* refuse(
            "not available",
            `its server is ${full}, and PostgreSQL ${versionMin} is the oldest that will do`,
          )
        }
        if (encoding !== "UTF8")
          return yield* refuse("not available", `its encoding is ${encoding}, and has to be UTF8`)
        if (isReadOnly) return yield* refuse("not writable", "it is read only, or a standby")
        if (schema === undefined && current === null) {
          return yield* refuse("not available", "the connection's search path names no schema that exists")
        }
        return schema ?? current
      }),
    ),
  )
}

/** Makes what is not there yet: the schema, the tables, the node's row. */
const prepare = (
  session: Session,
  dialect: Dialect,
  schema: string,
  lockClass: number,
  { name, node }: OpenOptions,
): Effect.Effect<
  { readonly incarnation: string; readonly node: NodeId; readonly number: number },
  SqlError | StoreUnusable
> =>
  Effect.gen(function* () {
    // Whoever starts at the same time waits here.
    yield* session.run("SELECT pg_advisory_xact_lock(?, 0)", [lockClass])
    const found = yield* session.values("SELECT FROM pg_namespace WHERE nspname = ?", [schema])
    // Who may not make schemas may still use one that is there.
    if (found.length === 0) yield* session.run(`CREATE SCHEMA ${quoted(schema)}`, [])
    const incarnation = yield* prepareTables(session, dialect, name)
    return { incarnation, ...(yield* register(session, name, node)) }
  })

/** Takes the lock of the node's identity, on a line that is kept. */
const becomeAlone = (
  openLine: OpenLine,
  dialect: Dialect,
  identity: { readonly lockClass: number; readonly number: number },
  node: NodeId,
  { before, name }: OpenOptions,
): Effect.Effect<HeldLine, StoreUnusable> =>
  SqlStores.unusable(
    dialect,
    name,
    Effect.gen(function* () {
      for (let waited = 0; ; waited += lockPauseMillis) {
        const held = yield* takeLine(openLine, dialect, identity)
        if (held !== undefined) return held
        if (waited >= lockMillisMax) break
        yield* Effect.sleep(lockPauseMillis)
      }
      const [row] = yield* Effect.scoped(
        Effect.flatMap(openLine, (line) =>
          line.session(dialect).values("SELECT epoch FROM millrace_nodes WHERE node = ?", [identity.number]),
        ),
      )
      // The lock may still be that of the line which this very process has lost.
      const isOwn = before !== undefined && row?.[0] === before.epoch
      return yield* new StoreUnusable({
        reason: isOwn ? "not available" : "held",
        message: isOwn
          ? `${name} still keeps the lock of the node ${format(node)} for a connection that is gone`
          : `${name} is in use by another process as the node ${format(node)}`,
      })
    }),
  )
