/**
 * Short ways to write what stores take, for tests.
 */
import type { Headers } from "../../domain/Message.ts"
import { makeHeaders } from "../../domain/Message.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import type { Draft, PageLimit, ReplicatedMessage } from "../../storage/LogStore.ts"

/** The node whose stores the suite opens. */
export const ownNode: NodeId = { tenant: "acme", line: "press", device: "one" }

/** A node whose messages are accepted. */
export const otherNode: NodeId = { tenant: "acme", line: "press", device: "two" }

/** A limit that no test's page reaches. */
export const unlimited: PageLimit = { rows: 10_000, bytes: 64 * 1024 * 1024 }

let drafted = 0

/** A draft with a text payload, an id of its own and a creation time of 1,000 ms. */
export const draft = (
  topic: string,
  text: string,
  more: { key?: string; createdAt?: number; headers?: Record<string, string> } = {},
): Draft => ({
  topic,
  id: `draft-${++drafted}`,
  createdAt: more.createdAt ?? 1000,
  headers: makeHeaders(more.headers),
  payload: Buffer.from(text),
  key: more.key,
})

/** A message of another node; the same offset and text give the same message. */
export const replica = (
  offset: number,
  text: string,
  more: { id?: string; createdAt?: number; headers?: Headers; deleted?: boolean } = {},
): ReplicatedMessage => ({
  offset,
  id: more.id ?? `replica-${offset}`,
  createdAt: more.createdAt ?? 5000 + offset,
  headers: makeHeaders(more.headers),
  payload: Buffer.from(text),
  deleted: more.deleted ?? false,
})

/** What a message says, without its places in the journal, to be compared. */
export const contentOf = ({ createdAt, deleted, headers, id, offset, payload }: ReplicatedMessage) => ({
  offset,
  id,
  createdAt,
  deleted,
  headers: { ...headers },
  payload: Buffer.from(payload).toString("latin1"),
})
