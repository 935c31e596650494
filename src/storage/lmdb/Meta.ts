/**
 * What a store says of itself, in the table `meta`: its format, whose it is, its incarnation, and whether it is a backup
 * that was never opened as a store.
 */
import { randomUUID } from "node:crypto"
import * as Option from "effect/Option"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { NodeId } from "../../domain/NodeId.ts"
import { backupState, damaged, decodeNode, encodeNode, type Identity, newer, resolveNode } from "../parts/Identity.ts"
import type { Tables } from "./Environment.ts"
import { formatVersion } from "./Layout.ts"

type Name = "format" | "node" | "incarnation" | "state"

export const readMeta = ({ meta }: Tables, name: Name): string | undefined => meta.get(Buffer.from(name))?.toString()

export const writeMeta = ({ meta }: Tables, name: Name, value: string): void =>
  meta.put(Buffer.from(name), Buffer.from(value))

/** Makes a new store say whose it is. Within a transaction. */
export const writeNew = (tables: Tables, node: NodeId): void => {
  writeMeta(tables, "format", String(formatVersion))
  writeMeta(tables, "node", encodeNode(node))
  writeMeta(tables, "incarnation", randomUUID())
  writeMeta(tables, "state", "store")
}

/** Makes a backup a store of its own: cursors of the store it was taken from mean nothing in it. Within a transaction. */
export const writeRestored = (tables: Tables): void => {
  writeMeta(tables, "incarnation", randomUUID())
  writeMeta(tables, "state", "store")
}

export const isBackup = (tables: Tables): boolean => readMeta(tables, "state") === backupState

/** A format that is no number was not written by any version so far: then it is newer. */
export const formatOf = (tables: Tables): number => {
  const format = Number(readMeta(tables, "format"))
  return Number.isSafeInteger(format) ? format : Number.POSITIVE_INFINITY
}

/**
 * Whose store it is and which, or why it is refused.
 *
 * @param store the store's name in a refusal
 * @param asked the node that wants it; absent: whoever it belongs to
 */
export const readIdentity = (tables: Tables, store: string, asked: NodeId | undefined): Identity | StoreUnusable => {
  const format = formatOf(tables)
  if (format > formatVersion) return newer(store, format, formatVersion)
  const text = readMeta(tables, "node")
  const remembered = text === undefined ? undefined : Option.getOrUndefined(decodeNode(text))
  if (remembered === undefined) return damaged(store, `whose it is cannot be read: ${text ?? "nothing is noted"}`)
  const node = resolveNode(store, remembered, asked)
  if ("_tag" in node) return node
  const incarnation = readMeta(tables, "incarnation")
  return incarnation === undefined ? damaged(store, "it has no incarnation") : { node, incarnation }
}
