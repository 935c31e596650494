/**
 * When a writer's commits leave: not at once, so that what is started together shares one; one at a time, or two where
 * commits are quick and enough waits; and now and then not before others had their turn.
 *
 *     schedule ──▶ (a microtask later) ──▶ send ──▶ in flight ──▶ landed ──▶ completed, in the order of sending
 */
import * as Effect from "effect/Effect"
import { Flight } from "./Flight.ts"

/** A second commit is sent only where commits take less than this: it wins where the CPU is the limit, and loses where
 * fsync is. */
const quickCommitMillis = 8
/** … and only from so many entries on. */
export const overlapEntriesMin = 64

/** Commits sent one after another before timers and sockets get their turn. */
const turnsMax = 32

export interface CommitPumpOptions {
  /** Commits under way at the same time, at most. */
  readonly inFlightMax: number
  /** How many entries wait. */
  readonly waiting: () => number
  /** Sends some of them, at least one; calls `fly` for what it sends, unless nobody waits for it any more. */
  readonly send: () => void
}

export class CommitPump {
  private readonly options: CommitPumpOptions
  private readonly flights: Array<Pick<Flight<never>, "hasLanded" | "complete">> = []
  private isScheduled = false
  private isResting = false
  private turns = 0
  private lastMillis = 0
  private whenIdle: (() => void) | undefined

  constructor(options: CommitPumpOptions) {
    this.options = options
  }

  /** Something waits that did not before. */
  schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    queueMicrotask(() => this.pump())
  }

  /** Sends what may be sent now. */
  pump(): void {
    this.isScheduled = false
    if (this.isResting) return
    while (this.options.waiting() > 0 && this.maySend()) {
      if (++this.turns > turnsMax) return this.rest()
      this.options.send()
    }
    if (this.isIdle) this.whenIdle?.()
  }

  /** A commit leaves: what is given back is to be called with its result, and `complete` is then called in its turn. */
  fly<A>(complete: (result: A) => void): (result: A) => void {
    const flight = new Flight(complete)
    this.flights.push(flight)
    return (result) => {
      flight.land(result)
      while (this.flights[0]?.hasLanded === true) this.flights.shift()!.complete()
      this.schedule()
    }
  }

  /** How long the last commit took. */
  took(millis: number): void {
    this.lastMillis = millis
  }

  /** Where nothing is under way, and many are to be answered whose next entries could go meanwhile. */
  get hasRoomWhileAnswering(): boolean {
    return this.flights.length === 0 && this.lastMillis < quickCommitMillis
  }

  /** Waits until nothing waits and nothing is under way. */
  get idle(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.isIdle) return resume(Effect.void)
      this.whenIdle = () => resume(Effect.void)
    })
  }

  private get isIdle(): boolean {
    return this.flights.length === 0 && this.options.waiting() === 0
  }

  private maySend(): boolean {
    return (
      this.flights.length === 0 ||
      (this.flights.length < this.options.inFlightMax &&
        this.lastMillis < quickCommitMillis &&
        this.options.waiting() >= overlapEntriesMin)
    )
  }

  /** A store that answers at once, and callers that go on at once, would keep everybody else from the event loop. */
  private rest(): void {
    this.isResting = true
    setImmediate(() => {
      this.isResting = false
      this.turns = 0
      this.pump()
    })
  }
}
