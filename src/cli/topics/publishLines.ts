/**
 * `publish --lines`: each line of standard input is a message, in order.
 *
 * Lines travel in batches, several under way at a time, and are acknowledged in order. A batch that the node refuses is
 * tried again line by line, so that the lines before the refused one are stored and the message names it.
 *
 * With a key prefix P, line n (from 1) is published with the key `P:n`. What was not acknowledged when the connection
 * was lost is then repeated, before anything that comes after it, until the node has been away for too long; the keys
 * keep it from being stored twice. Run again with the same prefix and input soon enough (`defaultKeyWindow`), the
 * whole command can be repeated too.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Message } from "../../domain/Message.ts"
import { maxMessageBytes } from "../../node/NodeConfig.ts"
import { type PublishDraft, type PublishError, Topics } from "../../topics/Topics.ts"
import { type Batch, batches, lineRange } from "./lineBatches.ts"
import { LineSplitter } from "../../domain/LineSplitter.ts"
import { logName, storedLines } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"

export interface PublishLinesOptions {
  readonly topic: string
  readonly headers: Readonly<Record<string, string>>
  readonly keyPrefix: string | undefined
  readonly json: boolean
}

/** Not every line was stored. The message says how far it came. */
export class LinesFailed extends Schema.TaggedError<LinesFailed>("millrace/LinesFailed")("LinesFailed", {
  message: Schema.String,
}) {}

/** Batches under way. */
const batchesInFlightMax = 8
/** How long a lost node is waited for, where lines can be repeated. */
const outageMax = Duration.seconds(60)

interface Started extends Batch {
  readonly fiber: Fiber.Fiber<ReadonlyArray<Message>, PublishError>
}

/** Whether an error says nothing about the lines themselves: the node could not be reached, or did not answer. */
const isLost = (error: PublishError): boolean => error._tag === "OutcomeUnknown" || error._tag === "Unavailable"

class Run {
  readonly #topics: Topics["Service"]
  readonly #options: PublishLinesOptions
  readonly #progress: Progress.Progress
  readonly #splitter = new LineSplitter(maxMessageBytes.max)
  /** Closed while lost batches are repeated: what comes after them has to wait. */
  readonly #gate = Latch.makeUnsafe(true)
  /** Batches that were started and not yet acknowledged. */
  #underWay = 0
  /** Lines that were handed over, and lines that were acknowledged. */
  #sent = 0
  #acknowledged = 0
  #last: Message | undefined
  /** From the first lost batch on, until everything that was under way with it is acknowledged. */
  #isOutage = false

  constructor(topics: Topics["Service"], options: PublishLinesOptions, progress: Progress.Progress) {
    this.#topics = topics
    this.#options = options
    this.#progress = progress
  }

  /** Where the work stands, for a sentence on why it ended. What may be stored or not begins at `unknownFrom`. */
  standing(unknownFrom = this.#acknowledged + 1): string {
    const stored = this.#acknowledged === 0 ? "no line is acknowledged" : `${lineRange(1, this.#acknowledged)} stored`
    return this.#sent < unknownFrom ? stored : `${stored}, ${lineRange(unknownFrom, this.#sent)} perhaps`
  }

  get summary(): string {
    const last = this.#last
    return last === undefined
      ? "0 lines stored"
      : `${this.#acknowledged} lines stored in ${logName(last)}, the last one at offset ${last.offset}`
  }

  #drafts(lines: ReadonlyArray<Uint8Array>, firstLine: number): ReadonlyArray<PublishDraft> {
    const { topic, headers, keyPrefix } = this.#options
    return lines.map((payload, index) => ({
      topic,
      payload,
      headers,
      key: keyPrefix === undefined ? undefined : `${keyPrefix}:${firstLine + index}`,
    }))
  }

  /** Starts the publishes of some lines, in order, as far as the queue has room. */
  readonly start = (lines: ReadonlyArray<Uint8Array>, queue: Queue.Queue<Started, LinesFailed | Cause.Done>) =>
    Effect.forEach(
      batches(this.#drafts(lines, this.#sent + 1), this.#sent + 1),
      (batch) =>
        Effect.andThen(Latch.whenOpen(this.#gate, this.#startOne(batch)), (started) => Queue.offer(queue, started)),
      { discard: true },
    )

  #startOne(batch: Batch): Effect.Effect<Started, never, Scope.Scope> {
    return Effect.suspend(() => {
      this.#underWay += 1
      this.#sent += batch.drafts.length
      return Effect.forkScoped(this.#topics.publishAll(batch.drafts), { startImmediately: true })
    }).pipe(
      Effect.map((fiber) => {
        fiber.addObserver((exit) => {
          if (Exit.isFailure(exit)) Latch.closeUnsafe(this.#gate)
        })
        return { ...batch, fiber }
      }),
    )
  }

  /** Reads standard input to its end. */
  readonly read = (queue: Queue.Queue<Started, LinesFailed | Cause.Done>) =>
    Effect.gen({ self: this }, function* () {
      const chunks = process.stdin[Symbol.asyncIterator]()
      while (true) {
        const { done, value } = yield* Effect.tryPromise({
          try: () => chunks.next(),
          catch: (cause) =>
            new LinesFailed({ message: `standard input: ${cause instanceof Error ? cause.message : cause}` }),
        })
        yield* this.start(done === true ? this.#splitter.end() : this.#splitter.push(value as Buffer), queue)
        if (this.#splitter.tooLong !== undefined) {
          return yield* new LinesFailed({
            message: `line ${this.#splitter.tooLong} is longer than ${maxMessageBytes.max} bytes`,
          })
        }
        if (done === true) return
      }
    })

  /** Waits for one batch after another, and does what has to be done about it. */
  readonly acknowledge = (queue: Queue.Queue<Started, LinesFailed | Cause.Done>) =>
    Effect.gen({ self: this }, function* () {
      while (true) {
        const started = yield* Queue.take(queue)
        const exit = yield* Fiber.await(started.fiber)
        const messages = Exit.isSuccess(exit) ? exit.value : yield* this.#recover(started, exit.cause)
        yield* this.#report(messages)
        this.#underWay -= 1
        if (this.#underWay === 0) {
          this.#isOutage = false
          Latch.openUnsafe(this.#gate)
        }
      }
    })

  #report(messages: ReadonlyArray<Message>) {
    return Effect.suspend(() => {
      this.#acknowledged += messages.length
      this.#last = messages.at(-1) ?? this.#last
      this.#progress.add(messages.length)
      return this.#options.json ? Output.write(storedLines(messages)) : Effect.void
    })
  }

  #recover(batch: Batch, cause: Cause.Cause<PublishError>) {
    return Effect.gen({ self: this }, function* () {
      const found = Cause.findErrorOption(cause)
      if (Option.isNone(found)) return yield* Effect.die(Cause.squash(cause))
      const error = found.value
      if (!isLost(error)) return yield* this.#oneByOne(batch)
      if (this.#options.keyPrefix === undefined) return yield* this.#failed(error, batch)
      // Never connected: whoever started this wants to know at once.
      if (this.#acknowledged === 0 && !this.#isOutage && error._tag === "Unavailable") return yield* error
      if (!this.#isOutage) yield* Output.tell(`${error.message}; repeating from line ${batch.firstLine}`)
      this.#isOutage = true
      return yield* this.#topics.publishAll(batch.drafts).pipe(
        Effect.retry({
          while: isLost,
          schedule: Schedule.upTo(Schedule.spaced("250 millis"), { duration: outageMax }),
        }),
        Effect.catch((error: PublishError) => (isLost(error) ? this.#failed(error, batch) : this.#oneByOne(batch))),
      )
    })
  }

  /** `line` is the line at which it ended; absent where that is the whole batch. */
  #failed(error: PublishError, batch: Batch, line?: number): Effect.Effect<never, LinesFailed> {
    return Effect.suspend(() => {
      const where = line === undefined ? "" : `line ${line}: `
      const next = batch.firstLine + batch.drafts.length
      const standing = this.standing(error._tag === "OutcomeUnknown" ? undefined : next)
      return new LinesFailed({ message: `${where}${error.message}; ${standing}` })
    })
  }

  /** A refused batch, line by line: ends at the line that is refused. */
  #oneByOne(batch: Batch) {
    return Effect.gen({ self: this }, function* () {
      const messages: Array<Message> = []
      for (const [index, draft] of batch.drafts.entries()) {
        const published = yield* Effect.result(this.#topics.publish(draft.topic, draft.payload, draft))
        if (Result.isSuccess(published)) {
          messages.push(published.success)
        } else {
          yield* this.#report(messages)
          return yield* this.#failed(published.failure, batch, batch.firstLine + index)
        }
      }
      return messages
    })
  }
}

export const publishLines = Effect.fnUntraced(function* (options: PublishLinesOptions) {
  const topics = yield* Topics
  const progress = yield* Progress.make("published")
  const run = new Run(topics, options, progress)
  const queue = yield* Queue.bounded<Started, LinesFailed | Cause.Done>(batchesInFlightMax)
  yield* run.read(queue).pipe(
    Effect.matchCauseEffect({
      onSuccess: () => Queue.end(queue),
      onFailure: (cause) => Queue.failCause(queue, cause),
    }),
    Effect.forkScoped,
  )
  yield* run.acknowledge(queue).pipe(
    Effect.catchTag("Done", () => Effect.void),
    Effect.onInterrupt(() => Output.tell(`interrupted: ${run.standing()}`)),
  )
  if (!options.json) yield* Output.write(`${run.summary}\n`)
})
