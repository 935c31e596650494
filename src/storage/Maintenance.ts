/**
 * Looking after a store that may be in use: examining it, and taking a backup of it. Neither changes anything, nor holds
 * up those who write.
 */
import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"
import type { AccessDenied, StorageFailed, Unavailable } from "../domain/errors.ts"
import type { ExaminationEvent } from "./Examination.ts"

/** A part of a backup; they come in order. */
export interface BackupPiece {
  /** Size of the whole backup, the same in every piece. */
  readonly totalBytes: number
  readonly bytes: Uint8Array
}

export class Maintenance extends Context.Service<
  Maintenance,
  {
    /** Looks at all that is stored, as it is at one moment. Ends with `Examined`. */
    readonly examine: Stream.Stream<ExaminationEvent, AccessDenied | StorageFailed | Unavailable>

    /**
     * The bytes of a file that holds all that was acknowledged before: a store of its own, with a new incarnation as soon
     * as it is opened. Write them to a file with `writeBackup`.
     */
    readonly backup: Stream.Stream<BackupPiece, AccessDenied | StorageFailed | Unavailable>
  }
>()("millrace/storage/Maintenance") {}
