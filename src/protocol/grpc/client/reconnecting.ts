/**
 * What a stream does when its connection is lost: it waits, longer each time, and begins again, for as long as it may.
 * It gives up at once where the node never answered, and where trying again cannot help.
 */
import { type ServiceError, status } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Unavailable } from "../../../domain/errors.ts"
import { noAnswer } from "./connection.ts"
import { fromStatus } from "../codec/errorCodec.ts"
import type { ReconnectEvent } from "./ReconnectEvent.ts"

export interface ReconnectOptions {
  /** How long a lost connection is tried again, in milliseconds; 0 for not at all. */
  readonly reconnectMillis: number
  readonly onReconnect: (event: ReconnectEvent) => Effect.Effect<void>
}

const backoffMillisMin = 50
const backoffMillisMax = 2000

/** Statuses after which the same call may go well. */
const isTransient = (failure: ServiceError | undefined): boolean => {
  switch (failure?.code) {
    case status.INVALID_ARGUMENT:
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
    case status.UNIMPLEMENTED:
    case status.FAILED_PRECONDITION:
    case status.NOT_FOUND:
    case status.RESOURCE_EXHAUSTED:
      return false
    default:
      return true
  }
}

/** One stream's life over its connections. */
export class Reconnecting {
  readonly #url: string
  readonly #of: ReconnectEvent["of"]
  readonly #options: ReconnectOptions
  #hasBegun = false
  #attempts = 0
  #lostAt = 0

  constructor(url: string, of: ReconnectEvent["of"], options: ReconnectOptions) {
    this.#url = url
    this.#of = of
    this.#options = options
  }

  /** The node has answered. */
  get begun(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#hasBegun = true
      const attempts = this.#attempts
      this.#attempts = 0
      return attempts === 0 ? Effect.void : this.#tell({ _tag: "Restored", of: this.#of, url: this.#url, attempts })
    })
  }

  /**
   * The stream has ended, with a failure or without. Succeeds when it is time to try again.
   *
   * @param isProven whether its connection had worked before
   */
  lost(failure: ServiceError | undefined, isProven: boolean): Effect.Effect<void, Unavailable> {
    return Effect.suspend(() => {
      const url = this.#url
      const word = failure === undefined ? undefined : fromStatus(failure)
      const reason =
        word?.message ?? (failure === undefined ? `the node at ${url} ended the ${this.#of}` : noAnswer(url, failure))
      const now = performance.now()
      if (this.#attempts === 0) this.#lostAt = now
      // A connection that had died since it was last used: a new one is tried at once.
      if (!this.#hasBegun && isProven && failure?.code === status.UNAVAILABLE) return Effect.void
      if (!this.#hasBegun || !isTransient(failure) || now - this.#lostAt >= this.#options.reconnectMillis) {
        return Effect.fail(new Unavailable({ message: reason }))
      }
      return this.#wait(reason)
    })
  }

  #wait = Effect.fnUntraced(function* (this: Reconnecting, reason: string) {
    const url = this.#url
    if (this.#attempts === 0) yield* this.#tell({ _tag: "Lost", of: this.#of, url, reason })
    const backoff = Math.min(backoffMillisMin * 2 ** Math.min(this.#attempts, 16), backoffMillisMax)
    const delayMillis = Math.round(backoff * (0.75 + 0.5 * (yield* Random.next)))
    this.#attempts++
    yield* this.#tell({ _tag: "Retrying", of: this.#of, url, attempt: this.#attempts, delayMillis })
    yield* Effect.sleep(delayMillis)
  })

  #tell(event: ReconnectEvent): Effect.Effect<void> {
    return this.#options.onReconnect(event)
  }
}
