/**
 * How fast an exchange is for clients in this process: what `bench exchange` measures. Each worker is a pair of clients
 * with connections of their own, one that sends and one that receives.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ClientName from "../../domain/ClientName.ts"
import { Unavailable } from "../../domain/errors.ts"
import { type ConnectError, Exchange, type ExchangeClient, type SendOptions } from "../../exchange/index.ts"
import * as Rpc from "../../rpc/index.ts"

export interface BenchOptions {
  /** Pairs of clients. */
  readonly workers: number
  readonly payloadBytes: number
  /** How long each measurement lasts. */
  readonly millis: number
  /** Calls under way at a time, of each worker. */
  readonly inFlight: number
}

export interface BenchRow {
  readonly name: string
  /** A second, of all workers together. */
  readonly rate: number
  readonly unit: "messages/s" | "calls/s"
}

/** Messages of one call of `sendAll`. */
const batchSize = 500

/** How long the last messages of a measurement may take. */
const arrivalMillisMax = 10_000

/** Counts what was sent to a client, and what has come to it. */
class Arrivals {
  #sent = 0
  #come = 0
  #resume: (() => void) | undefined

  send(count: number): void {
    this.#sent += count
  }

  come(count: number): void {
    this.#come += count
    if (this.#come >= this.#sent) this.#resume?.()
  }

  /** Succeeds when all that was sent has come. */
  readonly complete: Effect.Effect<void, Unavailable> = Effect.callback<void>((resume) => {
    this.#resume = () => resume(Effect.void)
    this.come(0)
  }).pipe(
    Effect.timeoutOrElse({
      duration: arrivalMillisMax,
      orElse: () => Effect.fail(new Unavailable({ message: "not all messages that were sent have arrived" })),
    }),
  )
}

/** One that sends messages, and one that receives them. */
interface Pair {
  readonly sender: ExchangeClient
  readonly target: string
  readonly arrivals: Arrivals
}

const makePair = (prefix: string): Effect.Effect<Pair, ConnectError, Exchange | Scope.Scope> =>
  Effect.gen(function* () {
    const { connect } = yield* Exchange
    const sender = yield* connect(`${prefix}.sender`)
    const receiver = yield* connect(`${prefix}.receiver`)
    const arrivals = new Arrivals()
    const reading = Stream.runForEachArray(receiver.inbox, (frames) => Effect.sync(() => arrivals.come(frames.length)))
    // Where it is disconnected, its sender finds out.
    yield* Effect.forkScoped(Effect.ignore(reading))
    return { sender, target: receiver.name, arrivals }
  })

/** One that calls, and one that answers with what it is asked. */
interface RpcPair {
  readonly caller: Rpc.Rpc
  readonly target: string
}

const makeRpcPair = (prefix: string): Effect.Effect<RpcPair, ConnectError, Exchange | Scope.Scope> =>
  Effect.gen(function* () {
    const { connect } = yield* Exchange
    const caller = yield* Rpc.make(yield* connect(`${prefix}.caller`))
    const echo: Rpc.RpcHandler = ({ params }) => Effect.succeed(params)
    const callee = yield* Rpc.make(yield* connect(`${prefix}.callee`), { handlers: { echo } })
    return { caller, target: callee.name }
  })

const qualities: ReadonlyArray<readonly [name: string, options: SendOptions]> = [
  ["qos no", { isProcessed: false }],
  ["qos processed", { isProcessed: true }],
  ["qos realtime", { isProcessed: false, isRealtime: true }],
  ["qos realtime processed", { isProcessed: true, isRealtime: true }],
]

/** Repeats for a while, and gives how often. */
const during = <E>(millis: number, once: Effect.Effect<unknown, E>): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    const until = performance.now() + millis
    let times = 0
    while (performance.now() < until) {
      yield* once
      times++
    }
    return times
  })

/** What all do together in a second; each gives how much it did. */
const together = <A, E>(all: ReadonlyArray<A>, work: (one: A) => Effect.Effect<number, E>): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    const begin = performance.now()
    const done = yield* Effect.forEach(all, work, { concurrency: "unbounded" })
    return (done.reduce((sum, one) => sum + one, 0) * 1000) / (performance.now() - begin)
  })

/** Measures one thing after the other, and tells of each as soon as it is known. */
export const run = <E>(
  { workers, payloadBytes, millis, inFlight }: BenchOptions,
  report: (row: BenchRow) => Effect.Effect<void, E>,
) =>
  Effect.gen(function* () {
    const payload = new Uint8Array(payloadBytes)
    const batch = Array.from({ length: batchSize }, () => payload)
    const names = Array.from({ length: workers }, (_, i) => `bench.${randomUUID().slice(0, 8)}.${i + 1}`)
    const pairs = yield* Effect.forEach(names, makePair)

    const send = ({ sender, target, arrivals }: Pair, options: SendOptions) =>
      Effect.map(during(millis, sender.sendAll(target, batch, options)), (times) => {
        arrivals.send(times * batchSize)
        return times * batchSize
      })
    const complete = ({ arrivals }: Pair) => arrivals.complete
    for (const [quality, options] of qualities) {
      const sent = yield* together(pairs, (pair) => send(pair, options))
      yield* report({ name: `send, ${quality}`, rate: sent, unit: "messages/s" })
      yield* Effect.forEach(pairs, complete, { discard: true })
      const received = yield* together(pairs, (pair) => Effect.tap(send(pair, options), () => complete(pair)))
      yield* report({ name: `send and receive, ${quality}`, rate: received, unit: "messages/s" })
    }

    const rpcPairs = yield* Effect.forEach(names, makeRpcPair)
    const call = (target: (pair: RpcPair) => string, method: string) =>
      together(rpcPairs, (pair) =>
        Effect.map(
          Effect.forEach(
            Array.from({ length: inFlight }),
            () => during(millis, pair.caller.call(target(pair), method, payload)),
            { concurrency: "unbounded" },
          ),
          (times) => times.reduce((sum, one) => sum + one, 0),
        ),
      )
    yield* report({
      name: "rpc.call of the broker",
      rate: yield* call(() => ClientName.broker, "benchmark.test"),
      unit: "calls/s",
    })
    yield* report({ name: "rpc.call and handle", rate: yield* call(({ target }) => target, "echo"), unit: "calls/s" })
  })
