/**
 * Filling a page with messages from rows, within its bounds.
 *
 * How large a message is, is known only once it has been read, and a thousand messages may be 100 kB or 3.5 GB. So rows
 * bring along only content up to `inlineBytesMax`; a larger one is fetched by itself, if it still fits.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import { headersFromText } from "../Content.ts"
import type { PageLimit } from "../LogStore.ts"
import type { LogTable } from "./LogTable.ts"
import type { Session } from "./Session.ts"

/** The largest content that a row brings along, in bytes. */
const inlineBytesMax = 4096

/** Rows in one read, at most: with `inlineBytesMax` this bounds what is read in vain. */
const rowsMax = 1024

const size = "octet_length(payload) + coalesce(octet_length(headers), 0)"

/** The columns that `MessagePage.add` takes; the last is null where the content is large. */
export const messageColumns = `position, log, log_offset, id, created_at, deleted,
  CASE WHEN octet_length(headers) <= ${inlineBytesMax} THEN headers END,
  CASE WHEN ${size} <= ${inlineBytesMax} THEN payload END`

const selectLarge = `SELECT deleted, headers, payload FROM millrace_messages WHERE position = ? AND ${size} <= ?`

type Row = ReadonlyArray<unknown>

/** Position of a row. */
export const positionOf = (row: Row): number => row[0] as number

/** Offset of a row. */
export const offsetOf = (row: Row): number => row[2] as number

export class MessagePage {
  readonly messages: Array<Message> = []
  /** Whether nothing more goes in. */
  full = false
  private bytes = 0
  private readonly logs: LogTable
  private readonly limit: PageLimit

  constructor(logs: LogTable, limit: PageLimit) {
    this.logs = logs
    this.limit = limit
  }

  /** Position of the last message; 0 where there is none. */
  get lastPosition(): number {
    return this.messages.at(-1)?.position ?? 0
  }

  /** How many rows are worth reading next: what the page still takes if messages go on as they were. */
  get wanted(): number {
    const count = this.messages.length
    const rowsLeft = Math.max(this.limit.rows, 1) - count
    const bytesEach = count === 0 ? 128 : Math.max(this.bytes / count, 1)
    const rowsByBytes = Math.ceil(((this.limit.bytes - this.bytes) / bytesEach) * 1.1)
    return Math.max(1, Math.min(rowsLeft, Math.max(rowsByBytes, 8), rowsMax))
  }

  /** Adds rows, as far as they fit, from an index on. Gives the index of a row with large content, or the rows' number. */
  add(rows: ReadonlyArray<Row>, from: number): number {
    for (let i = from; i < rows.length && !this.full; i++) {
      const row = rows[i]!
      const payload = row[7] as Uint8Array | null
      if (payload === null) return i
      const headers = row[6] as string | null
      const bytes = payload.byteLength + (headers === null ? 0 : headers.length)
      this.push(row, row[5] !== 0, headers, payload, bytes)
    }
    return rows.length
  }

  /** Adds rows as far as they fit, fetching large content where needed. */
  addAll(session: Session, rows: ReadonlyArray<Row>): Effect.Effect<void, SqlError> {
    const stopped = this.add(rows, 0)
    return stopped === rows.length ? Effect.void : this.addLarge(session, rows, stopped)
  }

  private addLarge(session: Session, rows: ReadonlyArray<Row>, at: number): Effect.Effect<void, SqlError> {
    if (at >= rows.length || this.full) return Effect.void
    const row = rows[at]!
    const room = this.messages.length === 0 ? Number.MAX_SAFE_INTEGER : this.limit.bytes - this.bytes
    return Effect.flatMap(session.values(selectLarge, [positionOf(row), room]), ([large]) => {
      if (large === undefined) {
        this.full = true
        return Effect.void
      }
      // A concurrent deletion may have emptied it since: what is delivered is one or the other, whole.
      const headers = large[1] as string | null
      const payload = large[2] as Uint8Array
      this.push(row, large[0] !== 0, headers, payload, payload.byteLength + (headers?.length ?? 0))
      return this.addLarge(session, rows, this.add(rows, at + 1))
    })
  }

  private push(row: Row, deleted: boolean, headers: string | null, payload: Uint8Array, bytes: number): void {
    const { limit, messages } = this
    if (messages.length > 0 && this.bytes + bytes > limit.bytes) {
      this.full = true
      return
    }
    const { origin, topic } = this.logs.get(row[1] as number).log
    messages.push({
      topic,
      origin,
      offset: row[2] as number,
      position: row[0] as number,
      id: row[3] as string,
      createdAt: row[4] as number,
      headers: headers === null ? noHeaders : headersFromText(headers),
      payload: payload.byteLength === 0 ? noPayload : payload,
      deleted,
    })
    this.bytes += bytes
    if (messages.length >= limit.rows || this.bytes >= limit.bytes) this.full = true
  }
}
