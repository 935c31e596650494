/**
 * A group commit's way out and back: from waiting drafts to the store's requests, and from its result to an answer for
 * each publisher and the messages for the live feed. Plain code over whole batches.
 */
import { Cause, Effect, Exit } from "effect"
import { KeyConflict, OutcomeUnknown } from "../../domain/errors.ts"
import { type Message, noHeaders, noPayload } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import type { AppendConflict, AppendRepeat, AppendResult, Draft } from "../../storage/LogStore.ts"
import type { PendingDraft } from "../draft.ts"
import { makeIds } from "./ids.ts"

/** What a publisher gets: its messages as stored, or why its request was refused. */
export type Answer = ReadonlyArray<Message> | KeyConflict

export const bytesOf = (drafts: ReadonlyArray<PendingDraft>): number => {
  let bytes = 0
  for (const draft of drafts) bytes += draft.bytes
  return bytes
}

/** The store's requests for a commit: each draft gets its id, all get one creation time (milliseconds since 1970). */
export const requestsOf = (
  entries: ReadonlyArray<{ readonly drafts: ReadonlyArray<PendingDraft> }>,
  createdAt: number,
): ReadonlyArray<ReadonlyArray<Draft>> => {
  let count = 0
  for (const { drafts } of entries) count += drafts.length
  const ids = makeIds(count)
  let next = 0
  return entries.map(({ drafts }) =>
    drafts.map(({ topic, payload, headers, key }) => ({ topic, id: ids[next++]!, createdAt, headers, payload, key })),
  )
}

/** A message that gets its place when the store has given it one. */
interface Placeable extends Message {
  offset: number
  position: number
}

/**
 * The messages that a commit's drafts will be, without their places: made while the store is busy with the commit, so
 * that there is little left to do when it answers.
 */
export const messagesOf = (
  origin: NodeId,
  requests: ReadonlyArray<ReadonlyArray<Draft>>,
): ReadonlyArray<ReadonlyArray<Placeable>> =>
  requests.map((drafts) =>
    drafts.map(({ topic, id, createdAt, headers, payload }) => ({
      topic,
      origin,
      offset: 0,
      position: 0,
      id,
      createdAt,
      headers,
      payload,
      deleted: false,
    })),
  )

/** What came of a commit: an answer for each request, what is newly stored in journal order, and the journal's end. */
export const resultsOf = (
  messages: ReadonlyArray<ReadonlyArray<Placeable>>,
  result: AppendResult,
): { readonly answers: ReadonlyArray<Answer>; readonly stored: ReadonlyArray<Message>; readonly end: number } => {
  const conflicts = new Map(result.conflicts.map((conflict) => [conflict.request, conflict]))
  const repeats = new Map(result.repeats.map((repeat) => [repeat.draft, repeat]))
  const answers: Array<Answer> = []
  const stored: Array<Message> = []
  let index = 0
  for (let request = 0; request < messages.length; request++) {
    const ours = messages[request]!
    const conflict = conflicts.size === 0 ? undefined : conflicts.get(request)
    if (conflict !== undefined) {
      index += ours.length
      answers.push(conflictOf(conflict))
      continue
    }
    for (const message of ours) {
      message.offset = result.offsets[index]!
      message.position = result.positions[index]!
      if (repeats.size === 0 || !repeats.has(index)) stored.push(message)
      index++
    }
    answers.push(repeats.size === 0 ? ours : withRepeats(ours, index - ours.length, repeats))
  }
  return { answers, stored, end: stored[stored.length - 1]?.position ?? 0 }
}

/** The messages of a request whose first draft has this index, as they were stored the first time. */
const withRepeats = (
  messages: ReadonlyArray<Message>,
  first: number,
  repeats: ReadonlyMap<number, AppendRepeat>,
): ReadonlyArray<Message> =>
  messages.map((message, i) => {
    const repeat = repeats.get(first + i)
    if (repeat === undefined) return message
    const { id, createdAt, deleted } = repeat
    return deleted
      ? { ...message, id, createdAt, deleted, headers: noHeaders, payload: noPayload }
      : { ...message, id, createdAt }
  })

const conflictOf = ({ topic, key, offset }: AppendConflict): KeyConflict =>
  new KeyConflict({
    topic,
    key,
    offset,
    message: `the key ${JSON.stringify(key)} was used on ${JSON.stringify(topic)} for other content, which is at offset ${offset}`,
  })

/**
 * The same messages with payloads of their own. A publisher may use its buffer again once its publish has succeeded,
 * and a subscriber may read a message much later.
 */
export const detach = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  let bytes = 0
  for (const { payload } of messages) bytes += payload.byteLength
  const slab = Buffer.allocUnsafeSlow(bytes)
  let start = 0
  return messages.map((message) => {
    const end = start + message.payload.byteLength
    slab.set(message.payload, start)
    const payload = slab.subarray(start, end)
    start = end
    return { ...message, payload }
  })
}

/** The typed error of a failed write. A defect of the store leaves the outcome unknown. */
export const errorOf = <E>(cause: Cause.Cause<E>, operation: string): E | OutcomeUnknown => {
  const failure = Cause.findErrorOption(cause)
  return failure._tag === "Some"
    ? failure.value
    : new OutcomeUnknown({ operation, message: `the store failed unexpectedly: ${Cause.pretty(cause)}` })
}

/** The exit of a write, with every failure typed. */
export const typed = <A, E>(exit: Exit.Exit<A, E>, operation: string): Effect.Effect<A, E | OutcomeUnknown> =>
  Exit.isSuccess(exit) ? exit : Effect.fail(errorOf(exit.cause, operation))
