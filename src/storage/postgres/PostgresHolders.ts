/**
 * Who holds what, as rows that name a node and its epoch. A hold counts for as long as that epoch is the node's and the
 * node's lock is held: a process that ends lets go of all at once, and one that lost its connection keeps what nobody
 * has taken meanwhile.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { StorageFailed, type WriteFailure } from "../../domain/errors.ts"
import { format, type NodeId } from "../../domain/NodeId.ts"
import type { Held, Hold, Holders } from "../Holders.ts"
import type { Session } from "../sql/Session.ts"
import type { Membership } from "../sql/Sharing.ts"
import type { WriteTransaction } from "../sql/WriteTransaction.ts"

/** A hold of this process. Whoever holds the same in it shares it. */
interface OwnHold {
  readonly held: Held
  readonly lost: Deferred.Deferred<string>
  holders: number
}

const keyOf = ({ kind, name }: Held): string => `${kind} ${name}`

const insertHold = `INSERT INTO millrace_holds (kind, name, node, epoch, since) VALUES (?, ?, ?, ?, now())
  ON CONFLICT DO NOTHING RETURNING node`
const lockHold = "SELECT node FROM millrace_holds WHERE kind = ? AND name = ? FOR UPDATE"
const updateHold = "UPDATE millrace_holds SET node = ?, epoch = ?, since = now() WHERE kind = ? AND name = ?"
const deleteHold = "DELETE FROM millrace_holds WHERE kind = ? AND name = ? AND node = ? AND epoch = ?"
const tellTaken = "SELECT pg_notify(?, 'taken ' || ?::int)"
/** The keys of an advisory lock are shown as they are without a sign. */
const selectLiving = `SELECT h.name, h.node, n.tenant, n.line, n.device FROM millrace_holds h
  JOIN millrace_nodes n ON n.node = h.node AND n.epoch = h.epoch
  WHERE h.kind = ? AND EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = ?::bigint & 4294967295 AND objid::bigint = n.node)`
const selectHolder = `${selectLiving} AND h.name = ?`
const selectMine = `SELECT h.kind, h.name FROM millrace_holds h
  JOIN unnest(?::text[], ?::text[]) AS own (kind, name) ON h.kind = own.kind AND h.name = own.name
  WHERE h.node = ? AND h.epoch = ?`

interface Living {
  readonly number: number
  readonly node: NodeId
}

/** Beside the contract: what happens to holds that others have taken. */
export interface PostgresHolders {
  readonly service: Holders["Service"]
  /** Looks whether all is still held. */
  readonly look: (session: Session) => Effect.Effect<void, SqlError>
}

export const make = (
  transaction: WriteTransaction,
  { channel, epoch, number }: Membership,
  lockClass: number,
): Effect.Effect<PostgresHolders, never, Scope.Scope> =>
  Effect.gen(function* () {
    const own = new Map<string, OwnHold>()
    const turn = Semaphore.makeUnsafe(1)
    let isClosed = false

    const lose = (hold: OwnHold, why: string): void => {
      own.delete(keyOf(hold.held))
      Deferred.doneUnsafe(hold.lost, Effect.succeed(why))
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        for (const hold of own.values()) lose(hold, "the store was closed")
      }),
    )

    const livingIn = ([, holder, tenant, line, device]: ReadonlyArray<unknown>): Living => ({
      number: holder as number,
      node: { tenant: tenant as string, line: line as string, device: device as string },
    })

    const living = (session: Session, { kind, name }: Held): Effect.Effect<Living | undefined, SqlError> =>
      Effect.map(session.values(selectHolder, [kind, lockClass, name]), ([row]) =>
        row === undefined ? undefined : livingIn(row),
      )

    /** Gives who holds it, if it is not us then. */
    const claim = (session: Session, held: Held, takeOver: boolean): Effect.Effect<NodeId | undefined, SqlError> =>
      Effect.gen(function* () {
        const { kind, name } = held
        // A row that somebody else is just adding is waited for.
        if ((yield* session.values(insertHold, [kind, name, number, epoch])).length > 0) return undefined
        if ((yield* session.values(lockHold, [kind, name])).length === 0) return yield* claim(session, held, takeOver)
        const holder = yield* living(session, held)
        const isOthers = holder !== undefined && holder.number !== number
        if (isOthers && !takeOver) return holder.node
        yield* session.run(updateHold, [number, epoch, kind, name])
        if (isOthers) yield* session.run(tellTaken, [channel, number])
        return undefined
      })

    const failed = ({ message }: WriteFailure): StorageFailed => new StorageFailed({ operation: "hold", message })

    const acquire = (held: Held, takeOver: boolean): Effect.Effect<OwnHold | NodeId, StorageFailed> =>
      turn.withPermit(
        Effect.gen(function* () {
          const shared = own.get(keyOf(held))
          if (shared !== undefined) {
            shared.holders += 1
            return shared
          }
          const other = yield* transaction
            .write("hold", (session) =>
              Effect.map(claim(session, held, takeOver), (value) => ({ value, committed: () => {} })),
            )
            .pipe(Effect.mapError(failed))
          if (other !== undefined) return other
          const hold = { held, lost: Deferred.makeUnsafe<string>(), holders: 1 }
          own.set(keyOf(held), hold)
          return hold
        }),
      )

    const release = (hold: OwnHold | NodeId): Effect.Effect<void> =>
      "tenant" in hold
        ? Effect.void
        : turn.withPermit(
            Effect.suspend(() => {
              const { kind, name } = hold.held
              hold.holders -= 1
              if (isClosed || hold.holders > 0 || own.get(keyOf(hold.held)) !== hold) return Effect.void
              own.delete(keyOf(hold.held))
              // A row that stays is nobody's as soon as this process ends.
              return Effect.ignore(
                transaction.write("release", (session) =>
                  Effect.as(session.run(deleteHold, [kind, name, number, epoch]), {
                    value: undefined,
                    committed: () => {},
                  }),
                ),
              )
            }),
          )

    return {
      service: {
        hold: (held, takeOver) =>
          Effect.map(Effect.acquireRelease(acquire(held, takeOver), release), (hold): Hold | NodeId =>
            "tenant" in hold ? hold : { lost: Deferred.await(hold.lost) },
          ),
        elsewhere: (kind) =>
          transaction.read("elsewhere", (session) =>
            Effect.map(session.values(selectLiving, [kind, lockClass]), (rows) => {
              const found = new Map<string, NodeId>()
              for (const row of rows) {
                const holder = livingIn(row)
                if (holder.number !== number) found.set(row[0] as string, holder.node)
              }
              return found
            }),
          ),
      },
      look: (session) =>
        Effect.suspend(() => {
          if (own.size === 0) return Effect.void
          const asked = [...own.values()]
          const params = [asked.map(({ held }) => held.kind), asked.map(({ held }) => held.name), number, epoch]
          return Effect.flatMap(session.values(selectMine, params), (rows) => {
            const mine = new Set(rows.map(([kind, name]) => `${String(kind)} ${String(name)}`))
            const gone = asked.filter((hold) => hold.holders > 0 && !mine.has(keyOf(hold.held)))
            return Effect.forEach(
              gone.filter((hold) => own.get(keyOf(hold.held)) === hold),
              (hold) =>
                Effect.map(living(session, hold.held), (holder) =>
                  lose(hold, holder === undefined ? "it was taken over" : `${format(holder.node)} has taken it over`),
                ),
              { discard: true },
            )
          })
        }),
    }
  })
