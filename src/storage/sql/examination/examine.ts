/**
 * Examines a store in an SQL database, in one transaction, so that a store in use is seen as it was at one moment.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SqlClient } from "effect/sql/SqlClient"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { examine as examineSource } from "../../examination/examine.ts"
import type { Report } from "../../examination/Report.ts"
import type { ExaminationEvent } from "../../Examination.ts"
import type { Dialect } from "../Dialect.ts"
import { type Session, withSession } from "../Session.ts"
import { sentence } from "../sentence.ts"
import { sqlSource } from "./SqlSource.ts"

/**
 * What is wrong with the store that the client speaks to. Ends with `Examined`.
 *
 * @param also what else there is to look at, before the rest
 */
export const examine = (
  client: SqlClient,
  dialect: Dialect,
  also: (session: Session, report: Report) => Effect.Effect<void, SqlError> = () => Effect.void,
): Stream.Stream<ExaminationEvent> =>
  Stream.callback<ExaminationEvent>(
    (queue) =>
      withSession(client, dialect, (session) =>
        Effect.ensuring(
          Effect.andThen(
            Effect.ignore(session.run(dialect.beginReading, [])),
            examineSource(
              sqlSource(dialect.isEndedByFailure === true ? apart(session) : session, dialect),
              (event) => Queue.offer(queue, event),
              (report) => also(session, report),
            ),
          ),
          Effect.ignore(session.run("ROLLBACK", [])),
        ),
      ).pipe(Effect.orDie, Effect.andThen(Queue.end(queue))),
    { bufferSize: 64 },
  )

/** An error that says what the database said. */
const inItsWords = (error: SqlError): SqlError =>
  new SqlError({ reason: new UnknownError({ cause: error.reason.cause, message: sentence(error) }) })

/** The same session, on which a table that cannot be read does not keep the others from being read. */
const apart = (session: Session): Session => ({
  ...session,
  values: (sql, params) =>
    Effect.andThen(
      session.run("SAVEPOINT examination", []),
      session.values(sql, params).pipe(
        Effect.mapError(inItsWords),
        Effect.tapError(() => Effect.ignore(session.run("ROLLBACK TO SAVEPOINT examination", []))),
        Effect.ensuring(Effect.ignore(session.run("RELEASE SAVEPOINT examination", []))),
      ),
    ),
})
