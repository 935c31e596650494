/**
 * Messages for one reader, piece by piece as it asks for them. It knows how far the reader has got, and begins again
 * after there where an answer was lost on its way.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { contentBytes, type Message } from "../../domain/Message.ts"
import { answerBytes } from "../contract/subscriptions.ts"
import { Handoff } from "./Handoff.ts"

/** What a reader gets at a time: messages, or that it has got all that was stored at the beginning. */
type Piece = ReadonlyArray<Message> | "live"

/** Where the messages come from: after a position, or where it was said at the beginning. */
export type Source<E> = (after: number | undefined, onLive: Effect.Effect<void>) => Stream.Stream<Message, E>

/** Parts of a chunk of about `answerBytes` each, at least one message. */
export const pieces = function* (messages: ReadonlyArray<Message>): Generator<ReadonlyArray<Message>> {
  let first = 0
  let bytes = 0
  for (let i = 0; i < messages.length; i++) {
    const { headers, payload, topic } = messages[i]!
    const more = contentBytes(topic, payload, headers)
    if (i > first && bytes + more > answerBytes) {
      yield messages.slice(first, i)
      first = i
      bytes = 0
    }
    bytes += more
  }
  if (first < messages.length) yield first === 0 ? messages : messages.slice(first)
}

export class Reader<E> {
  readonly #source: Source<E>
  readonly #fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  #handoff: Handoff<Piece, E>
  #fiber: Fiber.Fiber<void> | undefined
  /** The last position that was given out; none where nothing was. */
  #given: number | undefined
  #isLive = false

  /** @param fork runs a fiber for as long as the reader may live */
  constructor(source: Source<E>, fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>) {
    this.#source = source
    this.#fork = fork
    this.#handoff = this.#begin(undefined)
  }

  /** Whether the reader has got what was given out. */
  isInStep(after: number | undefined): boolean {
    return after === this.#given
  }

  /** Begins again after a position. */
  restart(after: number | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fiber = this.#fiber!
      this.#given = after
      this.#isLive = false
      return Effect.map(Fiber.interrupt(fiber), () => {
        this.#handoff = this.#begin(after)
      })
    })
  }

  next(waitMillis: number): Effect.Effect<{ readonly messages: ReadonlyArray<Message>; readonly live: boolean }, E> {
    return Effect.map(
      Effect.suspend(() => this.#handoff.take(waitMillis)),
      (piece) => {
        const messages = Option.isSome(piece) && piece.value !== "live" ? piece.value : []
        return { messages, live: this.#isLive }
      },
    )
  }

  #begin(after: number | undefined): Handoff<Piece, E> {
    const handoff = new Handoff<Piece, E>((piece) => {
      if (piece === "live") this.#isLive = true
      else this.#given = piece[piece.length - 1]!.position
    })
    const messages = this.#source(after, handoff.put("live"))
    const reading = Stream.runForEachArray(messages, (chunk) =>
      Effect.forEach(pieces(chunk), (piece) => handoff.put(piece), { discard: true }),
    )
    const end = (cause: Cause.Cause<E>): void => handoff.fail(cause)
    this.#fiber = this.#fork(
      Effect.map(Effect.exit(reading), (exit) => {
        if (Exit.isFailure(exit)) end(exit.cause)
      }),
    )
    return handoff
  }
}
