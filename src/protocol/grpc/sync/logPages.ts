/**
 * Messages of one log on their way to a peer: pages of bounded size, column by column, so that thousands of them are
 * a few fields. Nothing is done for each message but to cut its id and its payload out of their columns.
 */
import type { LogId } from "../../../domain/LogId.ts"
import { makeHeaders, type Message, noHeaders, noPayload } from "../../../domain/Message.ts"
import type { PeerMessage } from "../../../replication/index.ts"
import { packNumbers, packPayloads, packText } from "../../../storage/worker/Columns.ts"
import type { LogPage, PageHeaders } from "../gen/millrace/v1/sync_pb.ts"

/** A page holds about this much at most, unless one message alone is larger. */
const pageBytesMax = 256 * 1024

/** About what a message takes on the wire beside its payload, with an id that is a UUID. */
const overheadBytes = 48

const weightOf = ({ headers, payload }: Message): number => {
  let bytes = payload.byteLength + overheadBytes
  if (headers !== noHeaders) for (const name of Object.keys(headers)) bytes += name.length + headers[name]!.length + 8
  return bytes
}

/** About how many bytes a page takes. */
export const weigh = (page: LogPage | undefined): number => {
  if (page === undefined) return 0
  let bytes = page.payloads.byteLength + page.ids.length + 8 * page.createdAtMs.length
  for (const { headers } of page.headers) for (const name of Object.keys(headers)) bytes += 2 * name.length
  return bytes
}

/** A log's messages, in order and without a gap, as pages. */
export const logPages = (messages: ReadonlyArray<Message>): ReadonlyArray<LogPage> => {
  const pages: Array<LogPage> = []
  let from = 0
  let bytes = 0
  for (let i = 0; i < messages.length; i++) {
    const own = weightOf(messages[i]!)
    if (bytes > 0 && bytes + own > pageBytesMax) {
      pages.push(pageOf(messages.slice(from, i)))
      from = i
      bytes = 0
    }
    bytes += own
  }
  if (from < messages.length) pages.push(pageOf(from === 0 ? messages : messages.slice(from)))
  return pages
}

const pageOf = (messages: ReadonlyArray<Message>): LogPage => {
  const ids = packText(messages.map(({ id }) => id))
  const createdAt = packNumbers(messages.map((message) => message.createdAt))
  const payloads = packPayloads(messages.map(({ payload }) => payload))
  const headers: Array<PageHeaders> = []
  const deleted: Array<number> = []
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index]!
    if (message.deleted) deleted.push(index)
    if (message.headers !== noHeaders) {
      headers.push({ $typeName: "millrace.v1.PageHeaders", index, headers: message.headers })
    }
  }
  return {
    $typeName: "millrace.v1.LogPage",
    first: BigInt(messages[0]!.offset),
    count: messages.length,
    ids: ids.joined,
    idLengths: column(ids.lengths),
    createdAtMs: column(createdAt),
    payloads: new Uint8Array(payloads.bytes),
    payloadLengths: column(evened(payloads.lengths)),
    headers,
    deleted,
  }
}

/** A column as a list: of one number where all are equal. */
const column = (numbers: number | Uint32Array | Float64Array): Array<number> =>
  typeof numbers === "number" ? [numbers] : Array.from(numbers)

const evened = (numbers: Uint32Array): number | Uint32Array => {
  const first = numbers[0]!
  return numbers.every((number) => number === first) ? first : numbers
}

/** Cuts a column into pieces: gives where each ends. Throws where they are not as many as they should be, or not all of it. */
const ends = (
  what: string,
  lengths: ReadonlyArray<number>,
  count: number,
  total: number,
): ((index: number) => number) => {
  if (lengths.length === 1) {
    const [length] = lengths as [number]
    if (length * count !== total) throw new Error(`${what} that do not fit their number`)
    return (index) => (index + 1) * length
  }
  if (lengths.length !== count) throw new Error(`${what} that do not fit their number`)
  const found = new Float64Array(count)
  let end = 0
  for (let i = 0; i < count; i++) found[i] = end += lengths[i]!
  if (end !== total) throw new Error(`${what} that do not fit their lengths`)
  return (index) => found[index]!
}

/** Whether a text is cut in the middle of a character. */
const isWithinCharacter = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit < 0xe000
}

/**
 * The messages of a page that a peer sent for a log. Throws where its columns do not fit together. What they say is looked
 * at by who asked; a page names no log, so they are of the one that was asked for.
 *
 * @param max how many are taken at most
 */
export const messagesOf = ({ origin, topic }: LogId, page: LogPage | undefined, max: number): Array<PeerMessage> => {
  if (page === undefined || page.count === 0) return []
  const { ids, payloads } = page
  // Whoever says a number has to bring as many ids: nothing is made for messages that are not there.
  if (page.count > ids.length) throw new Error("messages without ids")
  const idEnd = ends("ids", page.idLengths, page.count, ids.length)
  const payloadEnd = ends("payloads", page.payloadLengths, page.count, payloads.byteLength)
  const { createdAtMs } = page
  if (createdAtMs.length !== 1 && createdAtMs.length !== page.count)
    throw new Error("times that do not fit their number")
  const count = Math.min(page.count, max)
  const first = Number(page.first)
  const messages: Array<Mutable<PeerMessage>> = []
  let idAt = 0
  let payloadAt = 0
  for (let i = 0; i < count; i++) {
    const [idTo, payloadTo] = [idEnd(i), payloadEnd(i)]
    if (isWithinCharacter(ids, idTo)) throw new Error("an id that ends within a character")
    messages.push({
      topic,
      origin,
      offset: first + i,
      id: ids.slice(idAt, idTo),
      createdAt: createdAtMs.length === 1 ? createdAtMs[0]! : createdAtMs[i]!,
      headers: noHeaders,
      payload: payloadAt === payloadTo ? noPayload : payloads.subarray(payloadAt, payloadTo),
      deleted: false,
    })
    idAt = idTo
    payloadAt = payloadTo
  }
  /** A message by its index; undefined where it is one of those that are not taken. */
  const at = (index: number): Mutable<PeerMessage> | undefined => {
    if (index >= page.count) throw new Error("something of a message that is not there")
    return messages[index]
  }
  for (const { headers, index } of page.headers) {
    const message = at(index)
    if (message !== undefined) message.headers = makeHeaders(headers)
  }
  for (const index of page.deleted) {
    const message = at(index)
    if (message === undefined) continue
    message.deleted = true
    message.headers = noHeaders
    message.payload = noPayload
  }
  return messages
}

type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }
