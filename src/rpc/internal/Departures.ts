/**
 * The clients whose departure matters, for something waits for them, as a call does. While that is so, and for some time
 * after, this client is subscribed to the announcement that they have left (`exchange/departures.ts`). Who is watched
 * from before the first message is sent to it has no moment at which it could leave unseen.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as ClientName from "../../domain/ClientName.ts"
import { departureOf, departuresTopic, departureTopic } from "../../exchange/departures.ts"
import type { ExchangeClient, Received } from "../../exchange/Exchange.ts"

/** Clients that nothing waits for now, and whose departure is still subscribed to. */
const idleMax = 256

export class Peer<T> {
  readonly name: string
  /** What waits for it. */
  readonly waiting: Set<T> = new Set()
  isWatched: boolean

  constructor(name: string) {
    this.name = name
    // What belongs to the bus goes only with it.
    this.isWatched = ClientName.isReserved(name)
  }
}

const decoder = new TextDecoder()

export class Departures<T> {
  readonly #client: ExchangeClient
  readonly #fork: (effect: Effect.Effect<void>) => void
  readonly #peers: Map<string, Peer<T>> = new Map()
  /** Those that nothing waits for; who was needed least lately comes first. */
  readonly #idle: Set<Peer<T>> = new Set()
  readonly #oneAtATime = Semaphore.makeUnsafe(1)

  constructor(client: ExchangeClient, fork: (effect: Effect.Effect<void>) => void) {
    this.#client = client
    this.#fork = fork
  }

  /** Something now waits for the client. */
  enter(name: string, waits: T): Peer<T> {
    let peer = this.#peers.get(name)
    if (peer === undefined) {
      peer = new Peer(name)
      this.#peers.set(name, peer)
    }
    this.#idle.delete(peer)
    peer.waiting.add(waits)
    return peer
  }

  /** It waits no longer. */
  leave(peer: Peer<T>, waits: T): void {
    if (!peer.waiting.delete(waits) || peer.waiting.size > 0) return
    this.#idle.add(peer)
    if (this.#idle.size > idleMax) for (const oldest of this.#idle) return this.#forget(oldest)
  }

  /**
   * Sees to it that the client's departure is heard of, from now on. What waits does so too where that cannot be: it has
   * a timeout, or notices when it sends.
   */
  watch(peer: Peer<T>): Effect.Effect<void> {
    const subscribe = Effect.suspend(() =>
      peer.isWatched ? Effect.void : this.#client.subscribe(departureTopic(peer.name)),
    )
    const watched = Effect.sync(() => {
      peer.isWatched = true
    })
    return this.#oneAtATime.withPermit(
      Effect.matchEffect(subscribe, {
        onSuccess: () => watched,
        onFailure: (error) =>
          Effect.logDebug(`the departure of ${peer.name} will not be heard of`, error).pipe(
            // Who is not allowed to need not ask again; who was not connected does.
            Effect.andThen(error._tag === "Disconnected" ? Effect.void : watched),
          ),
      }),
    )
  }

  /** Who has left, if that is what came; undefined where it is something else. */
  departed(frame: Received): Peer<T> | "unknown" | undefined {
    if (frame.kind !== "publication" || frame.sender !== ClientName.broker) return undefined
    if (frame.topic !== departuresTopic && departureOf(frame.topic) === undefined) return undefined
    return this.#peers.get(decoder.decode(frame.payload)) ?? "unknown"
  }

  /** Subscribes to nothing any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const topics = new Set<string>()
    for (const { name, isWatched } of this.#peers.values()) {
      if (isWatched && !ClientName.isReserved(name)) topics.add(departureTopic(name))
    }
    this.#peers.clear()
    this.#idle.clear()
    if (topics.size === 0) return Effect.void
    // Who is disconnected is subscribed to nothing, and who cannot say so now does not wait for it.
    return Effect.ignore(Effect.timeout(this.#client.unsubscribe(...topics), "1 second"))
  })

  #forget(peer: Peer<T>): void {
    const { name } = peer
    this.#idle.delete(peer)
    this.#peers.delete(name)
    const topic = departureTopic(name)
    if (topic === departuresTopic || ClientName.isReserved(name)) return
    // Whoever needs it again in the meantime has subscribed already, or will after this.
    const unsubscribe = Effect.suspend(() => (this.#peers.has(name) ? Effect.void : this.#client.unsubscribe(topic)))
    this.#fork(this.#oneAtATime.withPermit(Effect.ignore(unsubscribe)))
  }
}
