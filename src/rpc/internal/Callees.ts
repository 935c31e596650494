/**
 * The clients that calls wait for. While there are calls to a client, and for some time after, this client is subscribed
 * to the announcement that it has left (`exchange/departures.ts`): from before the first request is sent, so that there
 * is no moment at which it could leave unseen.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as ClientName from "../../domain/ClientName.ts"
import { departureOf, departuresTopic, departureTopic } from "../../exchange/departures.ts"
import type { ExchangeClient, Received } from "../../exchange/Exchange.ts"

/** Clients to which there are no calls now, and whose announcements are still subscribed to. */
const idleMax = 256

export class Callee<C> {
  readonly name: string
  /** Those that wait for it. */
  readonly calls: Set<C> = new Set()
  isWatched: boolean

  constructor(name: string) {
    this.name = name
    // What belongs to the bus goes only with it.
    this.isWatched = ClientName.isReserved(name)
  }
}

const decoder = new TextDecoder()

export class Callees<C> {
  readonly #client: ExchangeClient
  readonly #fork: (effect: Effect.Effect<void>) => void
  readonly #callees: Map<string, Callee<C>> = new Map()
  /** Those without calls; who was needed least lately comes first. */
  readonly #idle: Set<Callee<C>> = new Set()
  readonly #oneAtATime = Semaphore.makeUnsafe(1)

  constructor(client: ExchangeClient, fork: (effect: Effect.Effect<void>) => void) {
    this.#client = client
    this.#fork = fork
  }

  /** The callee of a call, which now waits for it. */
  enter(name: string, call: C): Callee<C> {
    let callee = this.#callees.get(name)
    if (callee === undefined) {
      callee = new Callee(name)
      this.#callees.set(name, callee)
    }
    this.#idle.delete(callee)
    callee.calls.add(call)
    return callee
  }

  /** The call waits no longer. */
  leave(callee: Callee<C>, call: C): void {
    if (!callee.calls.delete(call) || callee.calls.size > 0) return
    this.#idle.add(callee)
    if (this.#idle.size > idleMax) for (const oldest of this.#idle) return this.#forget(oldest)
  }

  /** Sees to it that the callee's departure is heard of, from now on. */
  watch(callee: Callee<C>): Effect.Effect<void> {
    return this.#oneAtATime.withPermit(
      Effect.suspend(() => (callee.isWatched ? Effect.void : this.#client.subscribe(departureTopic(callee.name)))).pipe(
        // The call goes on, and its timeout remains.
        Effect.catch((error) => Effect.logDebug(`the departure of ${callee.name} will not be heard of`, error)),
        Effect.andThen(
          Effect.sync(() => {
            callee.isWatched = true
          }),
        ),
      ),
    )
  }

  /** Who has left, if that is what came; undefined where it is something else. */
  departed(frame: Received): Callee<C> | "unknown" | undefined {
    if (frame.kind !== "publication" || frame.sender !== ClientName.broker) return undefined
    if (frame.topic !== departuresTopic && departureOf(frame.topic) === undefined) return undefined
    return this.#callees.get(decoder.decode(frame.payload)) ?? "unknown"
  }

  /** Subscribes to nothing any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const topics = new Set<string>()
    for (const { name, isWatched } of this.#callees.values()) {
      if (isWatched && !ClientName.isReserved(name)) topics.add(departureTopic(name))
    }
    this.#callees.clear()
    this.#idle.clear()
    if (topics.size === 0) return Effect.void
    // Who is disconnected is subscribed to nothing, and who cannot say so now does not wait for it.
    return Effect.ignore(Effect.timeout(this.#client.unsubscribe(...topics), "1 second"))
  })

  #forget(callee: Callee<C>): void {
    const { name } = callee
    this.#idle.delete(callee)
    this.#callees.delete(name)
    const topic = departureTopic(name)
    if (topic === departuresTopic || ClientName.isReserved(name)) return
    // Whoever calls it again in the meantime has subscribed already, or will after this.
    const unsubscribe = Effect.suspend(() => (this.#callees.has(name) ? Effect.void : this.#client.unsubscribe(topic)))
    this.#fork(this.#oneAtATime.withPermit(Effect.ignore(unsubscribe)))
  }
}
