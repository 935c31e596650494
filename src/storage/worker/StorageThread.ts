/**
 * The client's end of a storage thread: opens the store in it, makes calls, closes it.
 *
 * A thread that ends by itself fails what was under way, and every call from then on. What a write that was under way
 * has done then, nobody knows.
 */
import type { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { OutcomeUnknown, StorageFailed, StoreUnusable } from "../../domain/errors.ts"
import type { StoreInfo } from "../LogStore.ts"
import {
  type Answers,
  type CallError,
  type CallErrorOf,
  decodeCallError,
  decodeRefusal,
  type OpenRequest,
  type Operation,
  type OperationName,
  type Request,
  type Response,
  writeOperations,
} from "./Protocol.ts"
import { spawn } from "./spawn.ts"

type Resume = (result: Effect.Effect<Answers[OperationName], CallError>) => void

interface Pending {
  readonly operation: OperationName
  readonly resume: Resume
}

const writes: ReadonlySet<OperationName> = new Set(writeOperations)

export class StorageThread {
  readonly info: StoreInfo
  private readonly life: ThreadLife
  private lastCall = 0

  private constructor(life: ThreadLife, info: StoreInfo) {
    this.life = life
    this.info = info
  }

  /** Starts a thread and opens a store in it; closes both with the scope. */
  static open(module: URL, request: OpenRequest): Effect.Effect<StorageThread, StoreUnusable, Scope.Scope> {
    return Effect.gen(function* () {
      const life = yield* Effect.acquireRelease(
        Effect.sync(() => new ThreadLife(spawn(module))),
        (life) => Effect.callback<void>((resume) => life.close(() => resume(Effect.void))),
      )
      const info = yield* Effect.callback<StoreInfo, StoreUnusable>((resume) => life.open(request, resume))
      return new StorageThread(life, info)
    })
  }

  /** Makes a call. An interrupted caller stops waiting at once; a write may happen all the same. */
  call<Name extends OperationName>(
    operation: Operation & { readonly operation: Name },
    transfer: ReadonlyArray<ArrayBuffer> = [],
  ): Effect.Effect<Answers[Name], CallErrorOf<Name>> {
    return Effect.callback<Answers[OperationName], CallError>((resume) => {
      const { ended, pending } = this.life
      if (ended !== undefined) {
        resume(Effect.fail(new StorageFailed({ operation: operation.operation, message: ended })))
        return undefined
      }
      const call = ++this.lastCall
      pending.set(call, { operation: operation.operation, resume })
      this.life.send({ type: "call", call, operation }, transfer)
      return Effect.sync(() => {
        if (pending.delete(call) && this.life.ended === undefined) this.life.send({ type: "interrupt", call })
      })
      // An answer is of the type that its operation has.
    }) as Effect.Effect<Answers[Name], CallErrorOf<Name>>
  }
}

/** A thread that has not ended after so long is stuck, and ended by force. */
const closeMillisMax = 30_000

/** A thread from its start to its end, as events. */
class ThreadLife {
  private readonly worker: Worker
  readonly pending = new Map<number, Pending>()
  /** Why the thread takes no calls any more, once it does not. */
  ended: string | undefined
  private opening: ((result: Effect.Effect<StoreInfo, StoreUnusable>) => void) | undefined
  private isOpen = false
  private hasExited = false

  constructor(worker: Worker) {
    this.worker = worker
    worker.on("message", (response: Response) => this.receive(response))
    worker.on("error", (error) => this.fail(`the storage thread failed: ${messageOf(error)}`))
    worker.on("messageerror", (error) => this.fail(`the storage thread sent what cannot be read: ${error.message}`))
    worker.on("exit", (code) => {
      this.hasExited = true
      this.fail(`the storage thread ended with code ${code}; open the store again`)
    })
  }

  send(request: Request, transfer: ReadonlyArray<ArrayBuffer> = []): void {
    this.worker.postMessage(request, transfer)
  }

  open(request: OpenRequest, resume: (result: Effect.Effect<StoreInfo, StoreUnusable>) => void): void {
    this.opening = resume
    if (this.ended !== undefined) return this.refuse(this.ended)
    this.send({ type: "open", open: request })
  }

  close(done: () => void): void {
    if (this.hasExited) return done()
    this.ended ??= "the store is closed"
    this.opening = undefined
    // Also where it is still loading: ending a thread by force in the middle of that can bring the whole process down.
    this.send({ type: "close" })
    const patience = setTimeout(() => void this.worker.terminate(), closeMillisMax)
    this.worker.once("exit", () => {
      clearTimeout(patience)
      done()
    })
  }

  private receive(response: Response): void {
    switch (response.type) {
      case "opened":
        this.isOpen = true
        this.opening?.(Effect.succeed(response.info))
        return
      case "refused":
        this.opening?.(Effect.fail(decodeRefusal(response.error)))
        return
      case "answer":
        this.settle(response.call, Effect.succeed(response.answer))
        return
      case "failed":
        this.settle(response.call, Effect.fail(decodeCallError(response.error)))
        return
      case "died":
        if (response.call === undefined) this.refuse(response.description)
        else this.settle(response.call, Effect.die(new Error(response.description)))
    }
  }

  private settle(call: number, result: Effect.Effect<Answers[OperationName], CallError>): void {
    const pending = this.pending.get(call)
    this.pending.delete(call)
    // A caller that was interrupted waits no more.
    pending?.resume(result)
  }

  private refuse(why: string): void {
    this.opening?.(Effect.fail(new StoreUnusable({ reason: "not available", message: why })))
  }

  private fail(why: string): void {
    this.ended ??= why
    if (!this.isOpen) this.refuse(this.ended)
    const pending = [...this.pending.values()]
    this.pending.clear()
    for (const { operation, resume } of pending) {
      const reason = { operation, message: why }
      resume(Effect.fail(writes.has(operation) ? new OutcomeUnknown(reason) : new StorageFailed(reason)))
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
