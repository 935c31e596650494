/**
 * The store of records in an environment. Nothing of them is kept in memory.
 */
import { bytesOf } from "../parts/recordKeys.ts"
import { type RecordChange, type RecordStore, sortRecords, type StoredRecord } from "../RecordStore.ts"
import type { Commits } from "./Commits.ts"
import type { Tables } from "./Environment.ts"
import { readRecord, recordKey, recordKeyRange, recordValue } from "./Layout.ts"

export const make = (tables: Tables, commits: Commits): RecordStore["Service"] => ({
  write: (change) =>
    commits.write({
      operation: "write",
      purpose: "takes away",
      bytes: 0,
      body: () => {
        write(tables, change)
        return { value: undefined, committed: () => undefined }
      },
    }),
  records: (prefix) => commits.read("records", () => sortRecords([...recordsOf(tables, prefix)])),
})

const write = ({ records }: Tables, { put, remove }: RecordChange): void => {
  for (const key of remove) records.remove(recordKey(key))
  for (const record of put) records.put(recordKey(record.key), recordValue(record))
}

function* recordsOf({ records }: Tables, prefix: string): Iterable<StoredRecord> {
  const { before, from } = recordKeyRange(bytesOf(prefix))
  for (const { value } of records.rows(from, before)) {
    const record = readRecord(value)
    if (record.key.startsWith(prefix)) yield record
  }
}
