/**
 * A client's line to `.bus`: calls by the contract, whose failures are the errors of the services, or silence.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { bus } from "../../domain/ClientName.ts"
import { InvalidArgument, OutcomeUnknown, Unavailable } from "../../domain/errors.ts"
import { callValue, type CallError, ErrorCode, MessagePack, type ResultInvalid, type Rpc } from "../../rpc/index.ts"
import { type BusError, type BusErrorTag, decodeError } from "../contract/errors.ts"
import { always, type Failing, type Method } from "../contract/Method.ts"

/** No answer came. */
export class Silence extends Schema.TaggedError<Silence>("millrace/bridge/Silence")("Silence", {
  message: Schema.String,
  /** Whether the node may have heard the question. */
  mayHaveArrived: Schema.Boolean,
  /** Whether asking again cannot help: this client is not connected any more, for good. */
  isFinal: Schema.Boolean,
}) {}

export interface BusOptions {
  /** How long an operation may wait for its answer; by default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** How long subscriptions, consumers and takers try to go on after the node fell silent; by default for ever. */
  readonly reconnectFor?: Duration.Input | undefined
}

/** Text that cannot be written as it is would reach the node as another one. */
const illFormed = (value: unknown): string | undefined => {
  if (typeof value === "string") return value.isWellFormed() ? undefined : value
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined
  for (const [key, item] of Object.entries(value)) {
    const found = illFormed(key) ?? illFormed(item)
    if (found !== undefined) return found
  }
  return undefined
}

const problemOf = (params: unknown): InvalidArgument | undefined => {
  if (params === undefined) return undefined
  for (const [argument, value] of Object.entries(params as object)) {
    const found = illFormed(value)
    if (found !== undefined) {
      return new InvalidArgument({
        argument,
        message: `what is written is well-formed Unicode: ${JSON.stringify(found)}`,
      })
    }
  }
  return undefined
}

const silence = (message: string, mayHaveArrived: boolean, isFinal = false): Silence =>
  new Silence({ message, mayHaveArrived, isFinal })

const ours = (error: CallError | ResultInvalid): BusError | Silence => {
  switch (error._tag) {
    case "RpcError":
      // Interrupted there, or not even begun.
      if (error.code === ErrorCode.internal) return silence(error.message, true)
      return error.code === ErrorCode.busy ? silence(error.message, false) : decodeError(error)
    case "InvalidArgument":
    case "AccessDenied":
      return error
    case "NotRegistered":
      return silence("there is no bus to be called: no client named .bus is connected", false)
    case "NotDelivered":
      return silence(error.message, false)
    case "Disconnected":
      return silence(error.message, true, error.reason !== "connectionLost")
    case "RpcTimeout":
    case "CalleeGone":
    case "ResultInvalid":
      return silence(error.message, true)
  }
}

export class BusLine {
  readonly rpc: Rpc
  readonly timeoutMillis: number
  readonly reconnectMillis: number

  constructor(rpc: Rpc, { timeout = "30 seconds", reconnectFor = Duration.infinity }: BusOptions) {
    this.rpc = rpc
    this.timeoutMillis = Duration.toMillis(timeout)
    this.reconnectMillis = Duration.toMillis(reconnectFor)
  }

  /** Asks, and fails as the method can, or with silence. */
  ask<P extends Schema.Codec<unknown, unknown>, R extends Schema.Codec<unknown, unknown>, T extends BusErrorTag>(
    method: Method<P, R, T>,
    params: P["Type"],
    timeoutMillis: number = this.timeoutMillis,
  ): Effect.Effect<R["Type"], Failing<T> | Silence> {
    return Effect.suspend((): Effect.Effect<R["Type"], Failing<T> | Silence> => {
      const problem = problemOf(params)
      if (problem !== undefined) return Effect.fail(problem as Failing<T>)
      const called = callValue(this.rpc, bus, method.name, params, method.result, { timeout: timeoutMillis })
      return Effect.mapError(called, (error) => expected(method, ours(error)))
    })
  }

  /** Asks something whose repetition or loss changes nothing. */
  read<P extends Schema.Codec<unknown, unknown>, R extends Schema.Codec<unknown, unknown>, T extends BusErrorTag>(
    method: Method<P, R, T>,
    params: P["Type"],
  ): Effect.Effect<R["Type"], Failing<T>> {
    return Effect.mapError(this.ask(method, params), (error) =>
      error instanceof Silence ? new Unavailable({ message: error.message }) : error,
    ) as Effect.Effect<R["Type"], Failing<T>>
  }

  /** Asks for a write: where it may have arrived and no answer came, its outcome is unknown. */
  write<P extends Schema.Codec<unknown, unknown>, R extends Schema.Codec<unknown, unknown>, T extends BusErrorTag>(
    method: Method<P, R, T>,
    params: P["Type"],
  ): Effect.Effect<R["Type"], Failing<T> | OutcomeUnknown> {
    return Effect.mapError(this.ask(method, params), (error) => {
      if (!(error instanceof Silence)) return error
      const { mayHaveArrived, message } = error
      return mayHaveArrived
        ? new OutcomeUnknown({
            operation: method.name,
            message: `${message}; the ${method.name} may have happened or not`,
          })
        : new Unavailable({ message })
    }) as Effect.Effect<R["Type"], Failing<T> | OutcomeUnknown>
  }

  /** Says something that nobody waits for. */
  tell<P extends Schema.Codec<unknown, unknown>>(method: Method<P>, params: P["Type"]): Effect.Effect<void> {
    return Effect.ignore(this.rpc.callNoReply(bus, method.name, MessagePack.encode(params)))
  }
}

/** What the method can fail with; a node that answers with something else is not to be understood. */
const expected = <T extends BusErrorTag>(
  method: { readonly errors: ReadonlyArray<T> },
  error: BusError | Silence,
): Failing<T> | Silence => {
  const tags: ReadonlyArray<string> = [...always, ...method.errors, "Silence"]
  if (tags.includes(error._tag)) return error as Failing<T> | Silence
  return silence(`the node gave an answer that does not belong here: ${error.message}`, true)
}
