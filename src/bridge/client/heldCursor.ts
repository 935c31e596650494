/**
 * The client's side of a held cursor: it outlives its connections. It remembers its epoch and the last position that came,
 * and takes the cursor up again with both; the node lets it, unless somebody else has had the cursor meanwhile.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../../domain/errors.ts"
import * as NodeId from "../../domain/NodeId.ts"
import type { ConsumeError, HeldCursor, HoldCursor, HoldOptions } from "../../topics/index.ts"
import * as Stream from "effect/Stream"
import * as contract from "../contract/cursors.ts"
import type { SessionUnknown } from "../contract/errors.ts"
import { present } from "../contract/Method.ts"
import type { BusLine, Silence } from "./BusLine.ts"
import { Perseverance } from "./Perseverance.ts"
import { type Answer, answerMillisMax, reading, waitMillis } from "./reading.ts"

/** How long to wait for the node to let go of the cursor. */
const farewell = "2 seconds"

type Trouble = Silence | SessionUnknown | Unavailable

const isTrouble = (error: ConsumeError | Silence | SessionUnknown): error is Trouble =>
  error._tag === "Silence" || error._tag === "SessionUnknown" || error._tag === "Unavailable"

/** A hold over its connections. */
class RemoteHold {
  readonly #line: BusLine
  readonly #params: Parameters<typeof paramsOf>
  readonly #perseverance: Perseverance
  readonly #fork: (effect: Effect.Effect<void>) => void
  /** Open while the node knows of this hold. */
  readonly #held = Latch.makeUnsafe(false)
  /** Opened by whoever finds that it does not. */
  readonly #trouble = Latch.makeUnsafe(false)
  readonly ended = Deferred.makeUnsafe<never, ConsumeError>()
  #id = 0
  #epoch = 0
  #incarnation = ""
  /** The last position that came, and that came from this id. */
  #received = 0
  #after: number | undefined
  /** The last position that was given out here, that was handled, and that the node was told of. */
  given = 0
  #handled = 0
  #told = 0
  #isTelling = false

  constructor(line: BusLine, params: Parameters<typeof paramsOf>, fork: (effect: Effect.Effect<void>) => void) {
    this.#line = line
    this.#params = params
    this.#fork = fork
    this.#perseverance = new Perseverance(line.reconnectMillis)
  }

  readonly hold = Effect.fnUntraced(function* (this: RemoteHold) {
    const resume =
      this.#epoch === 0
        ? this.#params[2].resume
        : { epoch: this.#epoch, incarnation: this.#incarnation, position: this.#received }
    const [name, filter, options] = this.#params
    const held = yield* this.#line.ask(contract.hold, paramsOf(name, filter, { ...options, resume }))
    if (this.#epoch === 0) this.#received = this.given = held.position
    this.#id = held.id
    this.#epoch = held.epoch
    this.#incarnation = held.incarnation
    this.#after = undefined
    this.#told = 0
    this.#perseverance.begun()
    this.#trouble.closeUnsafe()
    this.#held.openUnsafe()
    this.#tell()
    return held
  })

  /** Sees whether the cursor is still held, and takes it up again where the node has forgotten it; fails when it is lost. */
  readonly watch = Effect.fnUntraced(function* (this: RemoteHold): Effect.fn.Return<never, ConsumeError> {
    let current: Effect.Effect<unknown, ConsumeError | Silence | SessionUnknown> = this.#watching()
    while (true) {
      const error = yield* Effect.flip(Effect.forever(Effect.raceFirst(current, this.#troubled)))
      if (!isTrouble(error)) return yield* Effect.fail(error)
      this.#held.closeUnsafe()
      yield* this.#perseverance.lost(error)
      const again = yield* Effect.result(this.hold())
      current = again._tag === "Success" ? this.#watching() : Effect.fail(again.failure)
    }
  })

  #watching(): Effect.Effect<unknown, ConsumeError | Silence | SessionUnknown> {
    return Effect.suspend(() => this.#line.ask(contract.watch, { id: this.#id, wait: waitMillis }, answerMillisMax))
  }

  readonly #troubled = Effect.suspend(() =>
    Effect.andThen(this.#trouble.await, Effect.fail(new Unavailable({ message: "the connection was lost" }))),
  )

  /** The next messages, over as many connections as it takes. */
  readonly next: Effect.Effect<Answer, ConsumeError> = Effect.suspend(() =>
    Effect.andThen(
      this.#held.await,
      Effect.suspend(() => {
        const id = this.#id
        const params = { id, wait: waitMillis, ...present({ after: this.#after }) }
        return this.#line.ask(contract.next, params, answerMillisMax).pipe(
          Effect.tap(({ messages }) =>
            Effect.sync(() => {
              const last = messages[messages.length - 1]
              if (last !== undefined) this.#received = this.#after = last.position
            }),
          ),
          Effect.catch((error) => {
            if (!isTrouble(error)) return Effect.fail(error)
            this.#isLost(id)
            return this.next
          }),
        )
      }),
    ),
  )

  handled(position: number): void {
    // What was never given out cannot be handled.
    const handled = Math.min(position, this.given)
    if (handled <= this.#handled) return
    this.#handled = handled
    this.#tell()
  }

  get settled(): Effect.Effect<void, ConsumeError> {
    return Effect.suspend(() => {
      if (this.#handled === 0) return Effect.void
      const commit = Effect.suspend(() =>
        this.#line.ask(contract.commit, { id: this.#id, position: this.#handled, settle: true }),
      )
      return Effect.mapError(Effect.asVoid(commit), (error): ConsumeError => {
        if (!isTrouble(error)) return error
        this.#isLost(this.#id)
        return new Unavailable({
          message: `the connection to the bus was lost before what was handled is known to be committed: ${error.message}`,
        })
      })
    })
  }

  readonly release = Effect.suspend(() =>
    Effect.timeoutOption(Effect.ignore(this.#line.ask(contract.release, { id: this.#id })), farewell),
  )

  /** Tells the newest place; those passed while a word is on its way are left out. */
  #tell(): void {
    if (this.#isTelling || this.#handled <= this.#told) return
    this.#isTelling = true
    const id = this.#id
    const position = this.#handled
    this.#fork(
      Effect.match(this.#line.ask(contract.commit, { id, position }), {
        onSuccess: () => {
          this.#isTelling = false
          if (id === this.#id) this.#told = position
          this.#tell()
        },
        onFailure: (error) => {
          this.#isTelling = false
          if (isTrouble(error)) this.#isLost(id)
          else Deferred.doneUnsafe(this.ended, Effect.fail(error))
        },
      }),
    )
  }

  #isLost(id: number): void {
    if (id === this.#id) {
      this.#held.closeUnsafe()
      this.#trouble.openUnsafe()
    } else this.#tell()
  }
}

const paramsOf = (name: string, filter: string, { from, origin, resume, takeOver }: HoldOptions) => ({
  cursor: name,
  filter,
  ...present({ origin: origin === undefined ? undefined : NodeId.format(origin), from, takeOver, resume }),
})

/** `Topics.holdCursor` of the bus. */
export const holdCursor =
  (line: BusLine): HoldCursor =>
  (name, filter, options = {}) =>
    Effect.gen(function* (): Effect.fn.Return<HeldCursor, ConsumeError, Scope.Scope> {
      const services = yield* Effect.context<Scope.Scope>()
      const fork = (effect: Effect.Effect<void>): void => void Effect.runForkWith(services)(Effect.forkScoped(effect))
      const remote = new RemoteHold(line, [name, filter, options], fork)
      const held = yield* Effect.acquireRelease(
        Effect.catchTag(remote.hold(), "Silence", ({ message }) => Effect.fail(new Unavailable({ message }))),
        () => remote.release,
      )
      yield* Effect.forkScoped(
        Effect.onError(remote.watch(), (cause) =>
          Effect.sync(() => Deferred.doneUnsafe(remote.ended, Effect.failCause(cause))),
        ),
        { startImmediately: true },
      )
      const lost = Deferred.await(remote.ended)
      const messages = yield* reading(Effect.raceFirst(remote.next, lost), options.onLive)
      return {
        epoch: held.epoch,
        incarnation: held.incarnation,
        position: held.position,
        messages: Stream.mapArray(messages, (chunk) => {
          remote.given = chunk[chunk.length - 1]!.position
          return chunk
        }),
        handled: (position) => remote.handled(position),
        settled: remote.settled,
        lost,
      }
    })
