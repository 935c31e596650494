/**
 * What waits for the journal writer. Classes, because there is an object for each publish.
 *
 * A caller that is interrupted while its write still waits has taken it back. It is recognised by its fiber being done:
 * a finalizer for each publish, which would tell at once, costs as much as the rest of the publish.
 */
import { Effect, Fiber } from "effect"
import type { KeyConflict, OutcomeUnknown, StorageFailed, Unavailable } from "../../domain/errors.ts"
import type { Message } from "../../domain/Message.ts"
import type { PendingDraft } from "../draft.ts"
import * as commit from "./commit.ts"

export type AppendError = KeyConflict | StorageFailed | OutcomeUnknown | Unavailable

abstract class WriteEntry {
  readonly #caller = Fiber.getCurrent()

  /** Whether nobody waits for it any more. Asked before it goes to the store. */
  get isAbandoned(): boolean {
    return this.#caller?.pollUnsafe() !== undefined
  }
}

/** One request to append: a batch, or a single draft. */
export abstract class AppendEntry extends WriteEntry {
  readonly drafts: ReadonlyArray<PendingDraft>
  readonly bytes: number
  constructor(drafts: ReadonlyArray<PendingDraft>, bytes: number) {
    super()
    this.drafts = drafts
    this.bytes = bytes
  }
  abstract succeed(messages: ReadonlyArray<Message>): void
  abstract fail(error: AppendError): void
}

export type Resume<A> = (result: Effect.Effect<A, AppendError>) => void

export class BatchEntry extends AppendEntry {
  readonly #resume: Resume<ReadonlyArray<Message>>
  constructor(drafts: ReadonlyArray<PendingDraft>, resume: Resume<ReadonlyArray<Message>>) {
    super(drafts, commit.bytesOf(drafts))
    this.#resume = resume
  }
  override succeed(messages: ReadonlyArray<Message>): void {
    this.#resume(Effect.succeed(messages))
  }
  override fail(error: AppendError): void {
    this.#resume(Effect.fail(error))
  }
}

export class SingleEntry extends AppendEntry {
  readonly #resume: Resume<Message>
  constructor(draft: PendingDraft, resume: Resume<Message>) {
    super([draft], draft.bytes)
    this.#resume = resume
  }
  override succeed(messages: ReadonlyArray<Message>): void {
    this.#resume(Effect.succeed(messages[0]!))
  }
  override fail(error: AppendError): void {
    this.#resume(Effect.fail(error))
  }
}

/** Any other write: goes to the store alone. */
export class CallEntry extends WriteEntry {
  /** Starts the write; `settle` is called with a function that completes the caller, in its turn. */
  readonly start: (settle: (complete: () => void) => void) => void
  constructor(start: CallEntry["start"]) {
    super()
    this.start = start
  }
}

export type Entry = AppendEntry | CallEntry
