/**
 * What can be asked of a store in PostgreSQL.
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { NodeId } from "../../domain/NodeId.ts"
import type { KeyWindow } from "../LogStore.ts"

/** A store in a PostgreSQL database, whoever brings the client. */
export interface SharedOptions {
  /** The schema of the store's tables, made where it does not exist; absent: where the connection makes tables by itself. */
  readonly schema?: string | undefined
  /**
   * Which of the nodes that use the store this is; absent: the only one that has used it, or the default one of a new
   * store.
   */
  readonly node?: NodeId | undefined
  readonly keyWindow?: KeyWindow | undefined
  /** What an acknowledged write survives: a power cut of the server (`fsync`, the default), or the death of the node. */
  readonly durability?: "fsync" | "os" | undefined
  /** How often a node looks what others have written, where it has not been told; by default every second. */
  readonly pollInterval?: Duration.Input | undefined
}

export interface PostgresOptions extends SharedOptions {
  /** `postgres://user:password@host:port/database?schema=…`, and the other parameters of such URLs. */
  readonly url: Redacted.Redacted
  /** Connections to the server at most, by default 10, and one that the node is known by. */
  readonly connectionsMax?: number | undefined
}
