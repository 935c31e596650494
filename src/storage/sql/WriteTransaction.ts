/**
 * Write transactions, and what their failures mean.
 *
 * A statement that fails and is rolled back has changed nothing. An I/O error, or a commit that failed for any reason
 * but a lock or a full disk, leaves it open what is on the disk: the caller is told so, and the store writes no more
 * until it is opened again. (After a failed fsync the kernel may count pages as clean that never reached the disk, so
 * trying again proves nothing.) What can still be read may be read.
 *
 * Where space runs out, what adds is refused from then on, and what takes away is tried once more in the space that is
 * set free for it (`Room`).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { OutcomeUnknown, StorageFailed, StorageFull, type WriteFailure } from "../../domain/errors.ts"
import { DamagedBlock } from "../parts/Block.ts"
import type { Dialect } from "./Dialect.ts"
import type { Room } from "../parts/Room.ts"
import type { JournalWrite, KnownJournal } from "./JournalWrite.ts"
import { Fenced, type Sharing } from "./Sharing.ts"
import { failureSentence, sentence } from "./sentence.ts"
import { isSynchronous, type Session, type Statement, type TransactionFailure, withSession } from "./Session.ts"

/** A finished transaction body: the result, and what to take over in memory once it is committed. */
export interface Written<A> {
  readonly value: A
  readonly committed: () => void
}

/** The error of a store that gave up writing, in full. */
export const stoppedWriting = (why: string): string => `the store stopped writing; open it again (${why})`

/** What is to be written to the journal, worked out from what is known of it. */
export interface JournalPlan<A> {
  readonly write: JournalWrite
  /** The result, once it is written. */
  readonly value: () => A
  readonly committed: () => void
}

/** What is to be written, and the same. */
export interface Planned<A> extends Written<A> {
  readonly statements: ReadonlyArray<Statement>
}

/** What runs within a transaction. */
export type Body<A, E> = (session: Session) => Effect.Effect<Written<A>, E | SqlError>

/** Whether a write brings something new, or only takes away from what is there: that goes on where the disk is full. */
export type Purpose = "adds" | "takes away"

/** A write that needs not look at the database first, or seldom. */
export interface KnownWrite<A> {
  readonly operation: string
  readonly purpose: Purpose
  /** Gives nothing where it does not know enough yet. */
  readonly plan: () => Planned<A> | undefined
  /**
   * Brings what the plan did not know; runs within the transaction, before the plan is asked again. Where several nodes
   * write it runs each time, and sees to it that what is known stays so until the transaction ends.
   */
  readonly load?: ((session: Session) => Effect.Effect<void, SqlError>) | undefined
}

export interface WriteTransactionOptions {
  readonly client: SqlClient
  readonly dialect: Dialect
  /** What stands in the way of writing, asked before each transaction. */
  readonly obstacle: () => string | undefined
  readonly room: Room | undefined
  readonly journal: KnownJournal
  /** Brings what is known of the journal up to date, and keeps it so until the transaction ends. */
  readonly lockJournal: (session: Session) => Effect.Effect<void, SqlError>
}

/** A transaction that failed through no fault of its own is tried again so often. */
const retries = Schedule.exponential(5).pipe(Schedule.jittered, Schedule.upTo({ times: 5 }))

/** How long a read waits for a database that is gone, and how often it looks. */
const readRetries = Schedule.spaced(100).pipe(Schedule.upTo({ duration: 5000 }))

export class WriteTransaction {
  private readonly client: SqlClient
  readonly dialect: Dialect
  private readonly obstacle: () => string | undefined
  private readonly room: Room | undefined
  private readonly lockJournal: WriteTransactionOptions["lockJournal"]
  readonly sharing: Sharing | undefined
  readonly journal: KnownJournal
  /** Writes that have to follow one another, where connections are several. */
  private readonly turns = { journal: Semaphore.makeUnsafe(1), queues: Semaphore.makeUnsafe(1) }
  private readonly whyStopped = Deferred.makeUnsafe<string>()
  /** Succeeds when nothing more is written, with why. */
  readonly stopped = Deferred.await(this.whyStopped)
  private why: string | undefined
  private unreadable = false
  /** Transactions that wait for the connection, or are in the middle of it: what comes after them must not overtake. */
  private underWay = 0

  constructor({ client, dialect, journal, lockJournal, obstacle, room }: WriteTransactionOptions) {
    this.client = client
    this.dialect = dialect
    this.obstacle = obstacle
    this.room = room
    this.journal = journal
    this.sharing = journal.sharing
    this.lockJournal = lockJournal
  }

  /** Why nothing can be written now, if so. */
  refusal(): string | undefined {
    return this.why === undefined ? this.obstacle() : stoppedWriting(this.why)
  }

  /**
   * Runs a body in a transaction of its own. The body's own failures are passed on after the rollback. Once it has the
   * connection it is not interrupted.
   */
  write<A, E>(
    operation: string,
    body: Body<A, E>,
    purpose: Purpose = "takes away",
  ): Effect.Effect<A, Exclude<E, SqlError | Fenced> | WriteFailure> {
    return this.attempt(operation, purpose, (session) => this.run(operation, session, body))
  }

  /**
   * Writes to the journal what is planned from what is known of it. Where several nodes write, the statement looks itself
   * whether that still holds, and is a transaction by itself; only where it does not hold the journal is locked first,
   * and what is known is brought up to date.
   */
  writeJournal<A>(
    operation: string,
    plan: (session: Session) => Effect.Effect<JournalPlan<A>, SqlError>,
  ): Effect.Effect<A, WriteFailure> {
    const locked = this.inJournal<A, never>((session) =>
      Effect.flatMap(plan(session), ({ committed, value, write }) =>
        Effect.map(write.flush(session), () => ({ value: value(), committed })),
      ),
    )
    if (this.sharing === undefined) return this.write(operation, locked, "adds")
    const write = this.attempt<A, never>(operation, "adds", (session) =>
      Effect.flatMap(plan(session), ({ committed, value, write }) =>
        Effect.flatMap(
          Effect.catch(write.flush(session), (error) => this.failedAtOnce(operation, error)),
          (isWritten) => {
            if (!isWritten) return this.run(operation, session, locked)
            committed()
            return Effect.succeed(value())
          },
        ),
      ),
    )
    return this.turns.journal.withPermit(write)
  }

  /** The same, for what has to look at more than its own logs before it writes. */
  writeLocked<A, E>(
    operation: string,
    body: Body<A, E>,
    purpose?: Purpose,
  ): Effect.Effect<A, Exclude<E, SqlError | Fenced> | WriteFailure> {
    const write = this.write(operation, this.inJournal(body), purpose)
    return this.sharing === undefined ? write : this.turns.journal.withPermit(write)
  }

  private inJournal<A, E>(body: Body<A, E>): Body<A, E> {
    return (session) => Effect.andThen(this.lockJournal(session), body(session))
  }

  /** Tries a write once it has a connection, and may write; and once more where space can be set free for it. */
  private attempt<A, E>(
    operation: string,
    purpose: Purpose,
    run: (session: Session) => Effect.Effect<A, E | SqlError | Fenced | WriteFailure>,
  ): Effect.Effect<A, Exclude<E, SqlError | Fenced> | WriteFailure> {
    const attempt = withSession(this.client, this.dialect, (session) =>
      Effect.suspend((): Effect.Effect<A, E | SqlError | Fenced | WriteFailure> => {
        const refused = this.refused(operation, purpose)
        if (refused !== undefined) return Effect.fail(refused)
        const once = run(session)
        return Effect.catchIf(once, this.isFull, (error) =>
          Effect.flatMap(this.ranOut(operation, session, error), (full) =>
            purpose === "adds" ? Effect.fail(full) : Effect.catchIf(once, this.isFull, () => Effect.fail(full)),
          ),
        )
      }),
    )
    const tried =
      this.sharing === undefined ? attempt : Effect.retry(attempt, { schedule: retries, while: this.isTransient })
    const counted = Effect.suspend(() => {
      this.underWay += 1
      return Effect.ensuring(
        tried,
        Effect.sync(() => {
          this.underWay -= 1
        }),
      )
    })
    const unfenced = Effect.mapError(counted, (error) =>
      error instanceof Fenced ? this.fenced(operation, error.message) : error,
    )
    return Effect.uninterruptible(failed(operation, unfenced)) as Effect.Effect<
      A,
      Exclude<E, SqlError | Fenced> | WriteFailure
    >
  }

  private readonly isTransient = (error: unknown): boolean =>
    this.why === undefined && isSqlError(error) && this.dialect.isTransient(error)

  /** What the failure of a statement that is a transaction by itself means: it may only have to be made in another way. */
  private failedAtOnce(operation: string, error: SqlError): Effect.Effect<false, SqlError | OutcomeUnknown> {
    if (this.dialect.failureKind(error, "at once") === "unknown") return Effect.fail(this.unknown(operation, error))
    return this.isTransient(error) ? Effect.succeed(false) : Effect.fail(error)
  }

  /** Another process is this node now. */
  fenced(operation: string, message: string): StorageFailed {
    this.stop(message)
    return new StorageFailed({ operation, message: stoppedWriting(message) })
  }

  /** The error of a write that is not even tried now, if so. */
  private refused(operation: string, purpose: Purpose): StorageFailed | StorageFull | undefined {
    const refusal = this.refusal()
    if (refusal !== undefined) return new StorageFailed({ operation, message: refusal })
    const full = purpose === "adds" ? this.room?.refusal() : undefined
    return full === undefined ? undefined : new StorageFull({ operation, message: full })
  }

  private readonly isFull = (error: unknown): error is SqlError =>
    isSqlError(error) && this.dialect.failureKind(error, "statement") === "full"

  /** Sees to it that space is set free where that is possible, and gives what to say where it is not enough. */
  private ranOut(operation: string, session: Session, error: SqlError): Effect.Effect<StorageFull> {
    return Effect.suspend(() => {
      this.room?.ranOut()
      const full = new StorageFull({ operation, message: this.room?.refusal() ?? sentence(error) })
      const { makeRoom } = this.dialect
      // What this does not bring about the next write will notice.
      return makeRoom === undefined ? Effect.succeed(full) : Effect.as(Effect.ignore(session.run(makeRoom, [])), full)
    })
  }

  /**
   * Writes what is known beforehand, without looking at the database first, in a transaction of its own: `write` for
   * the hottest of paths, in one step where the client can do that.
   */
  writeAll<A>({ load, operation, plan, purpose }: KnownWrite<A>): Effect.Effect<A, WriteFailure> {
    const { client, dialect } = this
    const bySteps = this.write<A, never>(
      operation,
      (session) =>
        Effect.flatMap(load?.(session) ?? Effect.void, () => {
          const planned = plan()!
          return Effect.as(session.runAll(planned.statements), planned)
        }),
      purpose,
    )
    if (this.sharing !== undefined) return this.turns.queues.withPermit(bySteps)
    if (!isSynchronous(client)) return bySteps
    return Effect.suspend(() => {
      const refused = this.refused(operation, purpose)
      if (refused !== undefined) return Effect.fail(refused)
      const planned = this.underWay > 0 ? undefined : plan()
      if (planned === undefined) return bySteps
      const { committed, statements, value } = planned
      const texts = statements.map(([sql, params]): Statement => [dialect.text(sql), params])
      const failure = client.transactNow(dialect.begin, texts)
      if (failure === "busy") return bySteps
      if (failure !== undefined && failure.rollbackError === undefined && this.isFull(failure.error)) {
        const freed = withSession(client, dialect, (session) => this.ranOut(operation, session, failure.error))
        return Effect.flatMap(failed(operation, freed), (full) => (purpose === "adds" ? Effect.fail(full) : bySteps))
      }
      if (failure !== undefined) return Effect.fail(this.meaningOf(operation, failure))
      committed()
      return Effect.succeed(value)
    })
  }

  /** Runs a read. Where the database is elsewhere, it is waited for a while. */
  read<A, E>(
    operation: string,
    use: (session: Session) => Effect.Effect<A, E | SqlError>,
  ): Effect.Effect<A, Exclude<E, SqlError> | StorageFailed> {
    const attempt = this.readNow(operation, use)
    return failed(
      operation,
      this.sharing === undefined ? attempt : Effect.retry(attempt, { schedule: readRetries, while: this.isTransient }),
    )
  }

  /** Runs a read that shows how things are just now. */
  look<A, E>(
    operation: string,
    use: (session: Session) => Effect.Effect<A, E | SqlError>,
  ): Effect.Effect<A, Exclude<E, SqlError> | StorageFailed> {
    return failed(operation, this.readNow(operation, use))
  }

  private readNow<A, E>(
    operation: string,
    use: (session: Session) => Effect.Effect<A, E | SqlError>,
  ): Effect.Effect<A, E | SqlError | StorageFailed> {
    return withSession(this.client, this.dialect, (session): Effect.Effect<A, E | SqlError | StorageFailed> =>
      this.unreadable
        ? Effect.fail(new StorageFailed({ operation, message: stoppedWriting(this.why ?? "") }))
        : use(session),
    )
  }

  private run<A, E>(
    operation: string,
    session: Session,
    body: Body<A, E>,
  ): Effect.Effect<A, E | SqlError | Fenced | WriteFailure> {
    const { dialect, sharing } = this
    const entered: Body<A, E | Fenced> =
      sharing === undefined ? body : (session) => Effect.andThen(sharing.enter(session), body(session))
    const rollback = Effect.catch(session.run("ROLLBACK", []), (error) =>
      dialect.isNoTransaction(error) ? Effect.void : Effect.fail(this.stuck(operation, error)),
    )
    const rolledBack = (error: SqlError, at: "statement" | "commit") =>
      Effect.suspend(() => {
        const failure = dialect.failureKind(error, at) === "unknown" ? this.unknown(operation, error) : error
        return Effect.andThen(rollback, Effect.fail(failure))
      })
    return Effect.gen(function* () {
      yield* session.run(dialect.begin, [])
      const exit = yield* Effect.exit(entered(session))
      if (Exit.isFailure(exit)) {
        const error = Exit.findErrorOption(exit)
        if (error._tag === "Some" && isSqlError(error.value)) return yield* rolledBack(error.value, "statement")
        yield* rollback
        return yield* Effect.failCause(exit.cause)
      }
      yield* Effect.catch(session.run("COMMIT", []), (error) => rolledBack(error, "commit"))
      exit.value.committed()
      return exit.value.value
    })
  }

  /** What the failure of a whole transaction means, and what follows from it. */
  private meaningOf(
    operation: string,
    { at, error, rollbackError }: TransactionFailure,
  ): StorageFailed | OutcomeUnknown {
    const isUnknown = this.dialect.failureKind(error, at) === "unknown"
    const failure = isUnknown
      ? this.unknown(operation, error)
      : new StorageFailed({ operation, message: failureSentence(error) })
    return rollbackError === undefined ? failure : this.stuck(operation, rollbackError)
  }

  /** The connection is stuck in a transaction: even what it reads now may never have been committed. */
  private stuck(operation: string, error: SqlError): OutcomeUnknown {
    this.unreadable = true
    return this.unknown(operation, error)
  }

  /** Writes nothing more. */
  stop(why: string): void {
    this.why ??= why
    Deferred.doneUnsafe(this.whyStopped, Effect.succeed(this.why))
  }

  private unknown(operation: string, error: SqlError): OutcomeUnknown {
    this.stop(sentence(error))
    return new OutcomeUnknown({ operation, message: `the outcome is unknown: ${sentence(error)}` })
  }
}

/** What the database reports, and damage that is found in it, becomes the error of an operation that changed nothing. */
const failed = <A, E>(
  operation: string,
  effect: Effect.Effect<A, E | SqlError>,
): Effect.Effect<A, Exclude<E, SqlError> | StorageFailed> =>
  effect.pipe(
    Effect.mapError((error) =>
      isSqlError(error)
        ? new StorageFailed({ operation, message: failureSentence(error) })
        : (error as Exclude<E, SqlError>),
    ),
    Effect.catchDefect((defect) =>
      defect instanceof DamagedBlock
        ? Effect.fail(new StorageFailed({ operation, message: defect.message }))
        : Effect.die(defect),
    ),
  )
