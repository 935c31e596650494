/**
 * The node's row: registering it, and how every write sees to it that this process still is the node.
 */
import { crc32 } from "node:zlib"
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { StoreUnusable } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import { defaultNodeId, equals, format, type NodeId } from "../../domain/NodeId.ts"
import type { Session } from "../sql/Session.ts"
import { Fenced, type JournalPlace, type Membership, type Sharing } from "../sql/Sharing.ts"

/**
 * The first key of all advisory locks of a schema; the second is a node's number, or 0 for who makes its tables. They are
 * of one database each.
 */
export const lockClassOf = (schema: string): number => crc32(`millrace ${schema}`) | 0

/** Names of channels have 63 bytes at most. */
const channelBytesMax = 63

/** Where the nodes of a schema tell each other what they write. */
export const channelOf = (schema: string): string => {
  const channel = `millrace ${schema}`
  if (Buffer.byteLength(channel) <= channelBytesMax) return channel
  return `millrace ${createHash("sha256").update(schema).digest("hex").slice(0, 32)}`
}

export interface KnownNode {
  readonly number: number
  readonly node: NodeId
}

const selectNodes = "SELECT node, tenant, line, device FROM millrace_nodes ORDER BY node"
const insertNode =
  "INSERT INTO millrace_nodes (node, tenant, line, device, epoch, started_at) VALUES (?, ?, ?, ?, 0, now())"

/**
 * The row of the node that is asked for, made where it is new; within a transaction that keeps others from doing the same.
 *
 * @param asked absent: the only one that has used the store, or the default one
 */
export const register = (
  session: Session,
  store: string,
  asked: NodeId | undefined,
): Effect.Effect<KnownNode, SqlError | StoreUnusable> =>
  Effect.gen(function* () {
    const rows = yield* session.values(selectNodes, [])
    const nodes = rows.map(([number, tenant, line, device]): KnownNode => ({
      number: number as number,
      node: { tenant: tenant as string, line: line as string, device: device as string },
    }))
    if (asked === undefined && nodes.length > 1) {
      const names = nodes.map(({ node }) => format(node)).join(", ")
      return yield* new StoreUnusable({
        reason: "other identity",
        message: `${store} is used by several nodes, so it has to be said which one this is: ${names}, or a new one`,
      })
    }
    const node = asked ?? nodes[0]?.node ?? defaultNodeId
    const known = nodes.find((one) => equals(one.node, node))
    if (known !== undefined) return known
    const number = (nodes.at(-1)?.number ?? 0) + 1
    yield* session.run(insertNode, [number, node.tenant, node.line, node.device])
    return { number, node }
  })

const updateEpoch = "UPDATE millrace_nodes SET epoch = epoch + 1, started_at = now() WHERE node = ? RETURNING epoch"

/**
 * Becomes the node: whoever was it before writes no more, and what he has under way is done or never will be. Within a
 * transaction.
 */
export const takeEpoch = (session: Session, number: number): Effect.Effect<number, SqlError> =>
  Effect.map(session.values(updateEpoch, [number]), (rows) => rows[0]![0] as number)

const selectJournal = "SELECT last_position, last_log, foreign_changes FROM millrace_journal FOR UPDATE"

export const lockJournal = (session: Session): Effect.Effect<JournalPlace, SqlError> =>
  Effect.map(session.values(selectJournal, []), ([row]) => {
    const [end, lastLog, foreignChanges] = row as readonly [number, number, number]
    return { end, lastLog, foreignChanges }
  })

/** A transaction whose process has stopped in the middle of it must not hold up the others for longer. */
const transactionIdleMillisMax = 10_000

// The row's lock is what keeps somebody else from becoming the node before this transaction ends.
const enter = `SELECT set_config('idle_in_transaction_session_timeout', '${transactionIdleMillisMax}', true)
  FROM millrace_nodes WHERE node = ? AND epoch = ? FOR SHARE`
const check = `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
  FROM millrace_nodes WHERE node = ? AND epoch = ?`
const changeForeign = `UPDATE millrace_journal SET foreign_changes = foreign_changes + 1
  WHERE EXISTS (SELECT FROM millrace_nodes WHERE tenant = ? AND line = ? AND device = ?)`

const readOnly = new SqlError({
  reason: new UnknownError({ cause: new Error("the database is read only, or a standby now"), operation: "check" }),
})

export const fencedSentence = (node: NodeId): string =>
  `another process has become the node ${format(node)} in this store, so this one writes no more`

export const makeSharing = (node: NodeId, membership: Membership): Sharing => {
  const own = [membership.number, membership.epoch]
  const fenced = new Fenced({ message: fencedSentence(node) })
  return {
    membership,
    enter: (session) =>
      Effect.flatMap(session.values(enter, own), (rows) => (rows.length === 0 ? Effect.fail(fenced) : Effect.void)),
    lockJournal,
    changedForeign: (session: Session, { origin }: LogId) =>
      equals(origin, node)
        ? Effect.void
        : Effect.asVoid(session.run(changeForeign, [origin.tenant, origin.line, origin.device])),
    check: (session) =>
      Effect.flatMap(session.values(check, own), ([row]): Effect.Effect<void, SqlError | Fenced> => {
        if (row === undefined) return Effect.fail(fenced)
        return row[0] === true ? Effect.fail(readOnly) : Effect.void
      }),
  }
}
