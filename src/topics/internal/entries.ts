/**
 * What waits for the journal writer. Classes, because there is an object for each publish.
 *
 * A caller that is interrupted while its write still waits has taken it back. It is recognised by its fiber being done:
 * a finalizer for each publish, which would tell at once, costs as much as the rest of the publish.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import type { KeyConflict, Unavailable, WriteFailure } from "../../domain/errors.ts"
import type { Message } from "../../domain/Message.ts"
import type { PendingDraft } from "../draft.ts"

export type AppendError = KeyConflict | WriteFailure | Unavailable

abstract class WriteEntry {
  readonly #caller = Fiber.getCurrent()

  /** The span that its caller is in, where there is one. */
  get span(): Tracer.AnySpan | undefined {
    return this.#caller?.cache.span
  }

  /** Whether nobody waits for it any more. Asked before it goes to the store. */
  get isAbandoned(): boolean {
    return this.#caller?.pollUnsafe() !== undefined
  }
}

/** One request to append: a batch, or a single draft. */
export abstract class AppendEntry extends WriteEntry {
  /** How many drafts. */
  abstract readonly count: number
  /** Their content, in bytes. */
  abstract readonly bytes: number
  abstract readonly hasKeys: boolean
  /** Told what its drafts have become, which have no places yet, right before they go to the store. */
  prepared(_messages: ReadonlyArray<Message>): void {}
  /** What a function makes of each draft, in their order. */
  abstract each<A>(make: (draft: PendingDraft) => A): ReadonlyArray<A>
  abstract succeed(messages: ReadonlyArray<Message>): void
  abstract fail(error: AppendError): void
}

export type Resume<A> = (result: Effect.Effect<A, AppendError>) => void

export class BatchEntry extends AppendEntry {
  readonly #drafts: ReadonlyArray<PendingDraft>
  readonly #resume: Resume<ReadonlyArray<Message>>
  readonly bytes: number
  readonly hasKeys: boolean
  readonly #named: ((ids: ReadonlyArray<string>) => void) | undefined
  constructor(
    drafts: ReadonlyArray<PendingDraft>,
    resume: Resume<ReadonlyArray<Message>>,
    named?: (ids: ReadonlyArray<string>) => void,
  ) {
    super()
    this.#drafts = drafts
    this.#resume = resume
    this.#named = named
    this.bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0)
    this.hasKeys = drafts.some((draft) => draft.key !== undefined)
  }
  get count(): number {
    return this.#drafts.length
  }
  override prepared(messages: ReadonlyArray<Message>): void {
    this.#named?.(messages.map(({ id }) => id))
  }
  override each<A>(make: (draft: PendingDraft) => A): ReadonlyArray<A> {
    return this.#drafts.map(make)
  }
  override succeed(messages: ReadonlyArray<Message>): void {
    this.#resume(Effect.succeed(messages))
  }
  override fail(error: AppendError): void {
    this.#resume(Effect.fail(error))
  }
}

export class SingleEntry extends AppendEntry {
  readonly #draft: PendingDraft
  readonly #resume: Resume<Message>
  constructor(draft: PendingDraft, resume: Resume<Message>) {
    super()
    this.#draft = draft
    this.#resume = resume
  }
  get count(): number {
    return 1
  }
  get bytes(): number {
    return this.#draft.bytes
  }
  get hasKeys(): boolean {
    return this.#draft.key !== undefined
  }
  override each<A>(make: (draft: PendingDraft) => A): ReadonlyArray<A> {
    // Not a literal of the result: V8 would make it in the old generation after a while (see `Flight`).
    return [this.#draft].map(make)
  }
  override succeed(messages: ReadonlyArray<Message>): void {
    this.#resume(Effect.succeed(messages[0]!))
  }
  override fail(error: AppendError): void {
    this.#resume(Effect.fail(error))
  }
}

/** What somebody wants to know of a message that is stored without a fiber of its own. Must not throw, nor wait. */
export interface Depositor {
  /** The id that the message has if it gets stored; called before anybody can see it. */
  readonly named: (id: string) => void
  readonly stored: (message: Message) => void
  readonly failed: (error: AppendError) => void
}

/** One draft that nobody waits for in a fiber. */
export class DepositEntry extends AppendEntry {
  readonly #draft: PendingDraft
  readonly #depositor: Depositor
  constructor(draft: PendingDraft, depositor: Depositor) {
    super()
    this.#draft = draft
    this.#depositor = depositor
  }
  /** Whichever fiber it came from, it is not that fiber that waits. */
  override get isAbandoned(): boolean {
    return false
  }
  get count(): number {
    return 1
  }
  get bytes(): number {
    return this.#draft.bytes
  }
  get hasKeys(): boolean {
    return this.#draft.key !== undefined
  }
  override prepared(messages: ReadonlyArray<Message>): void {
    this.#depositor.named(messages[0]!.id)
  }
  override each<A>(make: (draft: PendingDraft) => A): ReadonlyArray<A> {
    return [this.#draft].map(make)
  }
  override succeed(messages: ReadonlyArray<Message>): void {
    this.#depositor.stored(messages[0]!)
  }
  override fail(error: AppendError): void {
    this.#depositor.failed(error)
  }
}

/** Any other write: goes to the store alone. */
export class CallEntry extends WriteEntry {
  /** Starts the write; `settle` is called with a function that completes the caller, in its turn. */
  readonly start: (settle: (complete: () => void) => void) => void
  /** Fails it where it cannot be started any more. */
  readonly fail: (error: Unavailable) => void
  constructor(start: CallEntry["start"], fail: CallEntry["fail"]) {
    super()
    this.start = start
    this.fail = fail
  }
}

export type Entry = AppendEntry | CallEntry
