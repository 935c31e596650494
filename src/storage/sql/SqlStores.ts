/**
 * The stores of logs, queues, cursors and records over any `SqlClient`: opens them, and puts their operations together.
 *
 * One store writes; it keeps the logs, their heads and the journal's end in memory, as of its last commit. A store
 * that only reads beside it asks the database for what it does not know.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { StorageFailed, StorageFull, StoreUnusable } from "../../domain/errors.ts"
import type { LogHead } from "../../domain/LogId.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { defaultKeyWindow, type Durability, type KeyWindow, type LogStore } from "../LogStore.ts"
import { damaged, type Identity } from "../parts/Identity.ts"
import type { Stores } from "../Stores.ts"
import { sortHeads } from "../parts/LogSelection.ts"
import { accept, acceptBlocks as acceptEncoded } from "./Accept.ts"
import { type AppendContext, planBlocks, planDrafts } from "./Append.ts"
import type { Dialect } from "./Dialect.ts"
import { discard } from "./Discard.ts"
import { prepare, readIdentity } from "./Format.ts"
import { LogPlaces } from "../parts/LogPlaces.ts"
import { LogSelector } from "../parts/LogSelector.ts"
import { LogTable } from "./LogTable.ts"
import { readBlocks, readEnd, readJournal, readLog } from "./Reads.ts"
import { type Session, withSession } from "./Session.ts"
import type { Room } from "../parts/Room.ts"
import type { JournalState } from "./JournalWrite.ts"
import { sentence } from "./sentence.ts"
import type { Sharing } from "./Sharing.ts"
import { QueueTable } from "./QueueTable.ts"
import * as SqlCursorStore from "./SqlCursorStore.ts"
import * as SqlQueueStore from "./SqlQueueStore.ts"
import * as SqlRecordStore from "./SqlRecordStore.ts"
import { checkEnds } from "./StartCheck.ts"
import { tombstone } from "./Tombstone.ts"
import { WriteTransaction } from "./WriteTransaction.ts"

export interface SqlStoreOptions {
  /** What the store is called in errors, a path for example. */
  readonly name: string
  /** Whose store it is; absent: the remembered node, or the default one for a new store. */
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
  /** What an acknowledged write must survive, by default a power cut. */
  readonly durability?: Durability | undefined
  /** Open to read only, beside the store that writes. Writes then fail. */
  readonly readonly?: boolean | undefined
  /** What stands in the way of writing just now, asked before each write. */
  readonly obstacle?: (() => string | undefined) | undefined
  /** Who looks after the space that the store needs, if anybody does. */
  readonly room?: Room | undefined
}

const strength: Readonly<Record<Durability, number>> = { memory: 0, os: 1, fsync: 2 }

/** A store that is prepared: whose it is, and what is known of it so far. */
export interface OpenedStore {
  readonly identity: Identity
  readonly durability: Durability
  readonly logs: LogTable
  readonly queues: QueueTable
  readonly end: number
  /** Keys of this node. */
  readonly keys: number
  /** Where several nodes write. */
  readonly sharing?: Sharing | undefined
  readonly foreignChanges?: number | undefined
}

export const make = (
  client: SqlClient,
  dialect: Dialect,
  options: SqlStoreOptions,
): Effect.Effect<Stores, StoreUnusable> =>
  Effect.gen(function* () {
    const readonly = options.readonly === true
    const logs = new LogTable()
    const queues = new QueueTable()
    const durability = yield* checkDurability(client, dialect, options)
    const opened = yield* unusable(
      dialect,
      options.name,
      withSession(client, dialect, (session) =>
        Effect.gen(function* () {
          const identity = readonly
            ? yield* readIdentity(session, dialect, options.name)
            : yield* prepareInTransaction(session, dialect, options)
          if (!readonly) yield* checkEnds(session, options.name)
          yield* logs.catchUp(session)
          if (!readonly) yield* queues.load(session)
          const [[keys] = []] = yield* session.values("SELECT count(*) FROM millrace_keys", [])
          return { identity, end: yield* readEnd(session), keys: keys as number }
        }),
      ),
    )
    return over(client, dialect, { ...opened, durability, logs, queues }, options)
  })

/** The services over a store that is prepared. */
export const over = (
  client: SqlClient,
  dialect: Dialect,
  opened: OpenedStore,
  options: Pick<SqlStoreOptions, "readonly" | "obstacle" | "room" | "keyWindow">,
): Stores & { readonly transaction: WriteTransaction } => {
  const { durability, end, foreignChanges = 0, identity, keys, logs, queues, sharing } = opened
  const { node, incarnation } = identity
  const readonly = options.readonly === true
  const journal: JournalState = { dialect, logs, end, sharing, foreignChanges }
  const transaction = new WriteTransaction({
    client,
    dialect,
    obstacle: () => (readonly ? "the store is open to read only" : options.obstacle?.()),
    room: options.room,
    journal,
    lockJournal: (session) => lockJournal(session, context),
  })
  const context: AppendContext = {
    node,
    keyWindow: options.keyWindow ?? defaultKeyWindow,
    journal,
    keys: { count: keys },
  }
  const catchesUp = readonly || sharing !== undefined
  const reading = { dialect, logs, selector: new LogSelector(logs), places: new LogPlaces(), catchesUp }

  const logStore: LogStore["Service"] = {
    info: { node, incarnation, durability, backend: dialect.name, isShared: sharing !== undefined },
    append: (requests) => transaction.writeJournal("append", (session) => planDrafts(session, context, requests)),
    accept: (log, messages) =>
      transaction.writeLocked("accept", (session) => accept(session, journal, log, messages), "adds"),
    tombstone: (request) =>
      transaction.writeLocked("tombstone", (session) => tombstone(session, node, journal, request)),
    discard: (log, from) => transaction.writeLocked("discard", (session) => discard(session, context, log, from)),
    readLog: (log, from, limit) =>
      transaction.read("readLog", (session) => readLog(session, reading, log, from, limit)),
    readBlocks: (log, from, limit) =>
      transaction.read("readLog", (session) => readBlocks(session, reading, log, from, limit)),
    readJournal: (after, filter, limit) =>
      transaction.read("readJournal", (session) => readJournal(session, reading, after, filter, limit)),
    head: ({ origin, topic }) =>
      transaction.read("head", (session) =>
        Effect.map(session.values(selectHead, [topic, origin.tenant, origin.line, origin.device]), (rows) =>
          rows[0] === undefined ? Option.none() : Option.some(rows[0][0] as number),
        ),
      ),
    heads: transaction.read("heads", (session) =>
      Effect.map(session.values(selectHeads, []), (rows) => sortHeads(rows.map(toLogHead))),
    ),
    end: transaction.read("end", readEnd),
    stopped: transaction.stopped,
    check: Effect.suspend((): Effect.Effect<void, StorageFailed | StorageFull> => {
      const refusal = readonly ? undefined : transaction.refusal()
      if (refusal !== undefined) return Effect.fail(new StorageFailed({ operation: "check", message: refusal }))
      const full = options.room?.refusal()
      if (full !== undefined) return Effect.fail(new StorageFull({ operation: "check", message: full }))
      return transaction.look("check", (session) => {
        if (readonly) return Effect.asVoid(readEnd(session))
        if (sharing === undefined) return tryWriting(session, dialect)
        return Effect.catchTag(sharing.check(session), "Fenced", ({ message }) =>
          Effect.fail(transaction.fenced("check", message)),
        )
      })
    }),
  }
  // What comes encoded comes from another thread, which stores that wait for a network have no use for.
  const appendBlocks: LogStore["Service"]["appendBlocks"] = (blocks) =>
    transaction.writeAll({ operation: "append", purpose: "adds", plan: () => planBlocks(context, blocks) })
  const acceptBlocks: LogStore["Service"]["acceptBlocks"] = (log, from, blocks) =>
    transaction.write("accept", (session) => acceptEncoded(session, journal, log, from, blocks), "adds")
  return {
    logs: sharing === undefined ? { ...logStore, appendBlocks, acceptBlocks } : logStore,
    queues: SqlQueueStore.make(transaction, queues),
    cursors: SqlCursorStore.make(transaction),
    records: SqlRecordStore.make(transaction),
    transaction,
  }
}

/** What the database makes of an acknowledged commit, if that is enough. */
export const checkDurability = (
  client: SqlClient,
  dialect: Dialect,
  { durability: wanted = "fsync", name }: Pick<SqlStoreOptions, "durability" | "name">,
): Effect.Effect<Durability, StoreUnusable> =>
  Effect.gen(function* () {
    const durability = yield* unusable(dialect, name, readDurability(client, dialect))
    if (strength[durability] >= strength[wanted]) return durability
    return yield* new StoreUnusable({
      reason: "not durable enough",
      message: `${name} keeps writes only as durable as "${durability}", and "${wanted}" is asked for`,
    })
  })

const selectKeyCount = "SELECT count(*) FROM millrace_keys WHERE node = ?"
const selectOwnHeads = "SELECT log, head FROM millrace_logs WHERE tenant = ? AND line = ? AND device = ?"

/**
 * Where several nodes write: locks the journal, and brings what is known of it up to date. Of this node's own logs and
 * keys that is nothing, unless another node has changed them.
 */
const lockJournal = (session: Session, { journal, keys, node }: AppendContext): Effect.Effect<void, SqlError> =>
  journal.sharing === undefined
    ? Effect.void
    : Effect.gen(function* () {
        const { end, foreignChanges, lastLog } = yield* journal.sharing!.lockJournal(session)
        journal.end = end
        if (lastLog > journal.logs.lastNumber) yield* journal.logs.catchUp(session)
        if (foreignChanges === journal.foreignChanges) return
        const { device, line, tenant } = node
        for (const [log, head] of yield* session.values(selectOwnHeads, [tenant, line, device])) {
          journal.logs.get(log as number).head = head as number
        }
        const [[count] = []] = yield* session.values(selectKeyCount, [journal.sharing!.membership.number])
        keys.count = count as number
        journal.foreignChanges = foreignChanges
      })

const selectHead =
  "SELECT head FROM millrace_logs WHERE topic = ? AND tenant = ? AND line = ? AND device = ? AND head > 0"
const selectHeads = "SELECT topic, tenant, line, device, head FROM millrace_logs WHERE head > 0"

const toLogHead = ([topic, tenant, line, device, offset]: ReadonlyArray<unknown>): LogHead => ({
  topic: topic as string,
  origin: { tenant: tenant as string, line: line as string, device: device as string },
  offset: offset as number,
})

/** Writes what is there already, and takes it back. */
const tryWriting = (session: Session, dialect: Dialect): Effect.Effect<void, SqlError> =>
  Effect.uninterruptible(
    session
      .run(dialect.begin, [])
      .pipe(
        Effect.andThen(session.run("UPDATE millrace_journal SET last_position = last_position", [])),
        Effect.ensuring(Effect.ignore(session.run("ROLLBACK", []))),
        Effect.asVoid,
      ),
  )

const readDurability = (client: SqlClient, dialect: Dialect): Effect.Effect<Durability, SqlError> =>
  Effect.scoped(Effect.flatMap(client.reserve, dialect.durability))

const prepareInTransaction = (
  session: Session,
  dialect: Dialect,
  { name, node }: SqlStoreOptions,
): Effect.Effect<Identity, SqlError | StoreUnusable> =>
  Effect.uninterruptible(
    Effect.gen(function* () {
      yield* session.run(dialect.begin, [])
      const identity = yield* Effect.onError(prepare(session, dialect, name, node), () =>
        Effect.ignore(session.run("ROLLBACK", [])),
      )
      yield* session.run("COMMIT", [])
      return identity
    }),
  )

/** An error of the database while a store is opened: the store is not available, and the sentence names it. */
export const unusable = <A, E>(
  dialect: Dialect,
  name: string,
  effect: Effect.Effect<A, E | SqlError>,
): Effect.Effect<A, Exclude<E, SqlError> | StoreUnusable> =>
  Effect.mapError(effect, (error) =>
    !isSqlError(error)
      ? (error as Exclude<E, SqlError>)
      : dialect.isDamage(error)
        ? damaged(name, sentence(error))
        : new StoreUnusable({ reason: "not available", message: `${name} cannot be opened: ${sentence(error)}` }),
  )
