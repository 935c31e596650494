/**
 * What the threads say to each other.
 *
 * The client opens a thread's store once, then makes calls, each with a number that the answer repeats; calls take
 * effect in the order in which they are made and may be answered in any. Batches and pages travel packed (`Codec`) in
 * transferred buffers; everything else is cloned. Errors travel in their encoded form and arrive as themselves.
 */
import * as Schema from "effect/Schema"
import {
  CursorMismatch,
  OffsetConflict,
  OffsetGap,
  OutcomeUnknown,
  StorageFailed,
  StorageFull,
  StoreUnusable,
  type WriteFailure,
} from "../../domain/errors.ts"
import type { LogHead, LogId } from "../../domain/LogId.ts"
import type { PackedDrafts, PackedMessages, PackedPlaces, PackedReplicas } from "./Codec.ts"
import type { CursorClaim, CursorMove, CursorReset, StoredCursor } from "../CursorStore.ts"
import type { QueueOperation, QueuePage, QueueResult, QueueState } from "../QueueStore.ts"
import type { RecordChange, StoredRecord } from "../RecordStore.ts"
import type { JournalFilters } from "../parts/LogSelection.ts"
import type {
  AcceptedRun,
  AppendResult,
  DiscardResult,
  EncodedBlock,
  PageLimit,
  StoreInfo,
  TombstoneRequest,
} from "../LogStore.ts"

/** What a thread is to load and open. */
export interface OpenRequest {
  readonly role: "writer" | "reader"
  /** The backend's options, cloned. */
  readonly options: unknown
}

/** A call of a store, by the name of the operation. */
export type Operation =
  | { readonly operation: "append"; readonly requests: PackedDrafts }
  | { readonly operation: "accept"; readonly log: LogId; readonly messages: PackedReplicas }
  | { readonly operation: "tombstone"; readonly request: TombstoneRequest }
  | { readonly operation: "discard"; readonly log: LogId; readonly from: number }
  | { readonly operation: "readLog"; readonly log: LogId; readonly from: number; readonly limit: PageLimit }
  | { readonly operation: "readBlocks"; readonly log: LogId; readonly from: number; readonly limit: PageLimit }
  | {
      readonly operation: "readJournal"
      readonly after: number
      readonly filter: JournalFilters
      readonly limit: PageLimit
    }
  | { readonly operation: "head"; readonly log: LogId }
  | { readonly operation: "heads" }
  | { readonly operation: "end" }
  | { readonly operation: "check" }
  /** Is answered when the store gives up. */
  | { readonly operation: "stopped" }
  | { readonly operation: "apply"; readonly operations: ReadonlyArray<QueueOperation> }
  | { readonly operation: "page"; readonly queue: string; readonly after: number; readonly limit: PageLimit }
  | { readonly operation: "queues" }
  | { readonly operation: "claim"; readonly claim: CursorClaim }
  | { readonly operation: "move"; readonly moves: ReadonlyArray<CursorMove> }
  | { readonly operation: "reset"; readonly reset: CursorReset }
  | { readonly operation: "delete"; readonly name: string }
  | { readonly operation: "cursors" }
  | { readonly operation: "write"; readonly change: RecordChange }
  | { readonly operation: "records"; readonly prefix: string }

/** What each operation answers. */
export interface Answers {
  /** Places where the blocks were stored as they came, else what became of each draft. */
  readonly append: { readonly places: PackedPlaces } | { readonly places?: undefined; readonly result: AppendResult }
  readonly accept: AcceptedRun
  readonly tombstone: { readonly deleted: number; readonly marker: PackedMessages | undefined }
  readonly discard: DiscardResult
  readonly readLog: PackedMessages
  readonly readBlocks: ReadonlyArray<EncodedBlock>
  readonly readJournal: { readonly messages: PackedMessages; readonly scannedTo: number; readonly end: number }
  /** 0 where there is none. */
  readonly head: number
  readonly heads: ReadonlyArray<LogHead>
  readonly end: number
  readonly check: undefined
  /** Why. */
  readonly stopped: string
  readonly apply: ReadonlyArray<QueueResult>
  readonly page: QueuePage
  readonly queues: ReadonlyArray<QueueState>
  readonly claim: StoredCursor
  readonly move: ReadonlyArray<boolean>
  readonly reset: boolean
  readonly delete: boolean
  readonly cursors: ReadonlyArray<StoredCursor>
  readonly write: undefined
  readonly records: ReadonlyArray<StoredRecord>
}

export type OperationName = Operation["operation"]

/** Operations that write: where a thread ends by itself, nobody knows what became of them. */
export const writeOperations = [
  "append",
  "accept",
  "tombstone",
  "discard",
  "apply",
  "claim",
  "move",
  "reset",
  "delete",
  "write",
] as const

export type WriteOperation = (typeof writeOperations)[number]
export type ReadOperation = Exclude<OperationName, WriteOperation>

/** From the client to the thread. */
export type Request =
  | { readonly type: "open"; readonly open: OpenRequest }
  | { readonly type: "call"; readonly call: number; readonly operation: Operation }
  /** Nobody waits for the call any more. A write that has begun goes on. */
  | { readonly type: "interrupt"; readonly call: number }
  | { readonly type: "close" }

/** From the thread to the client. */
export type Response =
  | { readonly type: "opened"; readonly info: StoreInfo }
  | { readonly type: "refused"; readonly error: unknown }
  | { readonly type: "answer"; readonly call: number; readonly answer: Answers[OperationName] }
  | { readonly type: "failed"; readonly call: number; readonly error: unknown }
  /** Not an error of the store but of its code. */
  | { readonly type: "died"; readonly call: number | undefined; readonly description: string }

const CallError = Schema.Union([StorageFailed, StorageFull, OutcomeUnknown, OffsetConflict, OffsetGap, CursorMismatch])

export type CallError = typeof CallError.Type

/** What an operation fails with. */
export type CallErrorOf<Name extends OperationName> = Name extends "accept"
  ? Exclude<CallError, CursorMismatch>
  : Name extends "claim"
    ? WriteFailure | CursorMismatch
    : Name extends WriteOperation
      ? WriteFailure
      : Name extends "check"
        ? StorageFailed | StorageFull
        : StorageFailed

export const encodeCallError = Schema.encodeSync(CallError)
export const decodeCallError = Schema.decodeUnknownSync(CallError)
export const encodeRefusal = Schema.encodeSync(StoreUnusable)
export const decodeRefusal = Schema.decodeUnknownSync(StoreUnusable)
