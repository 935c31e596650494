/**
 * The store of records over any `SqlClient`. It shares the connection, and the fate, of the store of logs. Nothing of
 * records is kept in memory.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { bytesOf, keyRange, textOf } from "../parts/recordKeys.ts"
import { type RecordChange, type RecordStore, sortRecords } from "../RecordStore.ts"
import type { Statement } from "./Session.ts"
import { addRows, grouped } from "./Statements.ts"
import type { WriteTransaction } from "./WriteTransaction.ts"

const selectRecords = "SELECT name, value FROM millrace_records WHERE node = ? AND name >= ? AND name < ?"
const deleteRecord = "DELETE FROM millrace_records WHERE node = ? AND name = ?"
const putRecords = grouped(
  3,
  (rows) => `INSERT INTO millrace_records (node, name, value) VALUES ${rows}
    ON CONFLICT (node, name) DO UPDATE SET value = excluded.value`,
)

/** Opens the records of a database that is prepared. */
export const make = (transaction: WriteTransaction): RecordStore["Service"] => {
  /** 0 where the database is one node's. */
  const node = transaction.sharing?.membership.number ?? 0
  // Where connections are several, one write must not overtake another.
  const turn = Semaphore.makeUnsafe(1)
  return {
    write: (change) =>
      turn.withPermit(
        transaction.write("write", (session) =>
          Effect.as(session.runAll(statementsOf(node, change)), { value: undefined, committed: () => undefined }),
        ),
      ),
    records: (prefix) =>
      transaction.read("records", (session) => {
        const { before, from } = keyRange(bytesOf(prefix))
        return Effect.map(session.values(selectRecords, [node, from, before]), (rows) =>
          sortRecords(
            rows.map(([key, value]) => ({ key: textOf(key as Uint8Array), value: textOf(value as Uint8Array) })),
          ),
        )
      }),
  }
}

const statementsOf = (node: number, { put, remove }: RecordChange): ReadonlyArray<Statement> => {
  const statements: Array<Statement> = remove.map((key) => [deleteRecord, [node, bytesOf(key)]])
  addRows(statements, putRecords, put.length, (params, row) => {
    const { key, value } = put[row]!
    params.push(node, bytesOf(key), bytesOf(value))
  })
  return statements
}
