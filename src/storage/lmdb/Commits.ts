/**
 * Transactions of a store, and what their failures mean.
 *
 * What fails before the last page is written has changed nothing, and LMDB writes over what it left behind. All the same
 * an I/O error leaves it open what is on the disk: the caller is told so, and the store writes no more until it is opened
 * again. Where space runs out, what adds is refused from then on, and what takes away is tried once more in the space that
 * is set free for it (`Space`).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { OutcomeUnknown, StorageFailed, StorageFull, type WriteFailure } from "../../domain/errors.ts"
import { DamagedBlock } from "../parts/Block.ts"
import type { Environment } from "./Environment.ts"
import type { Space } from "./Space.ts"

/** What a transaction has written: its result, and what to take over in memory once it is committed. */
export interface Written<A> {
  readonly value: A
  readonly committed: () => void
}

/** Why a transaction is not to be committed. */
export interface Refused<E> {
  readonly refused: E
}

export interface Write<A, E> {
  readonly operation: string
  /** Whether it brings something new, or only takes away from what is there: that goes on where the disk is full. */
  readonly purpose: "adds" | "takes away"
  /** About how many bytes it adds. */
  readonly bytes: number
  /** Runs in the transaction. */
  readonly body: () => Written<A> | Refused<E>
}

/** Of the operating system: no space left, over the quota, an I/O error. */
const noSpace = 28
const overQuota = 122
const ioError = 5
/** Of LMDB: the key exists, and what it says of keys and values that are not as they must be. These change nothing. */
const harmless: ReadonlySet<number> = new Set([-30799, -30781])

/** It is looked for readers that were killed once in so many commits. It takes some microseconds. */
const readersCheckedEvery = 256

type Attempt<A, E> =
  | { readonly type: "done"; readonly value: A }
  | { readonly type: "refused"; readonly refused: E }
  /** In the store's own code, or what it reads is damaged: nothing has changed. */
  | { readonly type: "threw"; readonly error: unknown }
  | { readonly type: "failed"; readonly kind: "full" | "clean" | "unknown"; readonly message: string }

/** An error of LMDB, or of the operating system below it, has a number. */
const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export class Commits {
  private readonly environment: Environment
  private readonly obstacle: () => string | undefined
  private readonly space: Space | undefined
  private readonly whyStopped = Deferred.makeUnsafe<string>()
  /** Succeeds when nothing more is written, with why. */
  readonly stopped = Deferred.await(this.whyStopped)
  private why: string | undefined
  private attempts = 0

  /** @param obstacle what stands in the way of writing, asked before each transaction */
  constructor(environment: Environment, obstacle: () => string | undefined, space?: Space) {
    this.environment = environment
    this.obstacle = obstacle
    this.space = space
  }

  /** Why nothing can be written now, if so. */
  refusal(): string | undefined {
    return this.why === undefined ? this.obstacle() : `the store stopped writing; open it again (${this.why})`
  }

  write<A, E = never>(write: Write<A, E>): Effect.Effect<A, E | WriteFailure> {
    return Effect.suspend((): Effect.Effect<A, E | WriteFailure> => {
      const { bytes, operation, purpose } = write
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(new StorageFailed({ operation, message: refusal }))
      const full = purpose === "adds" ? this.space?.refusal(bytes) : this.space?.refusalToTake()
      if (full !== undefined) return Effect.fail(new StorageFull({ operation, message: full }))
      let attempt = this.attempt(write)
      if (attempt.type === "failed" && attempt.kind === "full") {
        this.space?.ranOut()
        if (purpose === "takes away") attempt = this.attempt(write)
      }
      switch (attempt.type) {
        case "done":
          return Effect.succeed(attempt.value)
        case "refused":
          return Effect.fail(attempt.refused)
        case "threw":
          return failedToRead(operation, attempt.error)
        case "failed":
          return Effect.fail(this.failure(operation, attempt.kind, attempt.message, bytes))
      }
    })
  }

  /** Runs a read, which sees what is committed now. */
  read<A>(operation: string, use: () => A): Effect.Effect<A, StorageFailed> {
    return Effect.suspend(() => {
      try {
        this.environment.endRead()
        return Effect.succeed(use())
      } catch (error) {
        return failedToRead(operation, error)
      } finally {
        // Pages that somebody reads cannot be used again.
        this.environment.endRead()
      }
    })
  }

  private attempt<A, E>({ body, operation }: Write<A, E>): Attempt<A, E> {
    if (++this.attempts % readersCheckedEvery === 0) this.environment.dropDeadReaders()
    let outcome: Attempt<A, E> | undefined
    let committed = (): void => {}
    let isCommitting = false
    try {
      this.environment.transact(
        () => {
          try {
            const result = body()
            if ("refused" in result) outcome = { type: "refused", refused: result.refused }
            else {
              outcome = { type: "done", value: result.value }
              committed = result.committed
            }
          } catch (error) {
            outcome = { type: "threw", error }
          }
          return outcome.type === "done"
        },
        () => (isCommitting = true),
      )
    } catch (error) {
      return this.failed(error, isCommitting ? "committing" : "before")
    }
    if (outcome === undefined) return { type: "failed", kind: "unknown", message: `${operation} did not run` }
    if (outcome.type === "threw" && codeOf(outcome.error) !== undefined) return this.failed(outcome.error, "before")
    committed()
    return outcome
  }

  private failed(error: unknown, at: "before" | "committing"): Extract<Attempt<never, never>, { type: "failed" }> {
    const message = messageOf(error)
    const code = codeOf(error)
    if (code === noSpace || code === overQuota) return { type: "failed", kind: "full", message }
    // Pages that are cut short for want of space come as an I/O error. Where LMDB goes on, it was one of those, which count
    // for nothing yet.
    if (code === ioError && this.space?.isDiskFull === true && this.environment.isUsable) {
      return { type: "failed", kind: "full", message }
    }
    return {
      type: "failed",
      kind: at === "before" && code !== undefined && harmless.has(code) ? "clean" : "unknown",
      message,
    }
  }

  private failure(operation: string, kind: "full" | "clean" | "unknown", message: string, bytes: number): WriteFailure {
    if (kind === "full") return new StorageFull({ operation, message: this.space?.refusal(bytes) ?? message })
    if (kind === "clean") return new StorageFailed({ operation, message })
    this.why ??= message
    Deferred.doneUnsafe(this.whyStopped, Effect.succeed(this.why))
    return new OutcomeUnknown({ operation, message: `the outcome is unknown: ${message}` })
  }
}

/** What is found damaged, and what cannot be read, fails an operation that changed nothing; all else is a defect. */
const failedToRead = (operation: string, error: unknown): Effect.Effect<never, StorageFailed> =>
  error instanceof DamagedBlock || codeOf(error) !== undefined
    ? Effect.fail(new StorageFailed({ operation, message: messageOf(error) }))
    : Effect.die(error)
