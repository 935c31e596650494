/**
 * What waits for the queue writer. Classes, because there is an object for each operation.
 *
 * A caller that is interrupted while its operation still waits has taken it back. It is recognised by its fiber being
 * done: a finalizer for each operation, which would tell at once, costs as much as the rest of it.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { Unavailable, WriteFailure } from "../../domain/errors.ts"
import type { QueueItem } from "../../domain/QueueItem.ts"
import type { QueueOperation, QueueResult } from "../../storage/QueueStore.ts"
import type { PendingItem } from "../draft.ts"

export type WriteError = WriteFailure | Unavailable

type Resume<A> = (result: Effect.Effect<A, WriteError>) => void

/** An item to enqueue. */
export class EnqueueEntry {
  readonly draft: PendingItem
  readonly #resume: Resume<QueueItem>
  readonly #caller = Fiber.getCurrent()
  constructor(draft: PendingItem, resume: Resume<QueueItem>) {
    this.draft = draft
    this.#resume = resume
  }
  get bytes(): number {
    return this.draft.bytes
  }
  get isAbandoned(): boolean {
    return this.#caller?.pollUnsafe() !== undefined
  }
  /** The span that its caller is in, where there is one. */
  get span(): Tracer.AnySpan | undefined {
    return this.#caller?.cache.span
  }
  succeed(item: QueueItem): void {
    this.#resume(Effect.succeed(item))
  }
  fail(error: WriteError): void {
    this.#resume(Effect.fail(error))
  }
}

/** Called with whether the item was the front, or with why that is not known. */
export type Acknowledged = (result: boolean | WriteError) => void

/** An acknowledgement by whoever takes a queue: of the item with this sequence. It is not taken back. */
export class DoneEntry {
  readonly queue: string
  readonly sequence: number
  readonly bytes = 16
  readonly isAbandoned = false
  readonly span = undefined
  readonly done: Acknowledged
  constructor(queue: string, sequence: number, done: Acknowledged) {
    this.queue = queue
    this.sequence = sequence
    this.done = done
  }
  fail(error: WriteError): void {
    this.done(error)
  }
}

/** Any other operation. */
export class OperationEntry {
  readonly operation: QueueOperation
  readonly bytes = 256
  readonly #resume: Resume<QueueResult>
  readonly #caller = Fiber.getCurrent()
  constructor(operation: QueueOperation, resume: Resume<QueueResult>) {
    this.operation = operation
    this.#resume = resume
  }
  get isAbandoned(): boolean {
    return this.#caller?.pollUnsafe() !== undefined
  }
  /** The span that its caller is in, where there is one. */
  get span(): Tracer.AnySpan | undefined {
    return this.#caller?.cache.span
  }
  succeed(result: QueueResult): void {
    this.#resume(Effect.succeed(result))
  }
  fail(error: WriteError): void {
    this.#resume(Effect.fail(error))
  }
}

export type Entry = EnqueueEntry | DoneEntry | OperationEntry
