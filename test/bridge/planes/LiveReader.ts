/** A live client of a random program: what came to it, as reads of the logs that it came from. */
import { Effect, Stream } from "effect"
import * as LogId from "../../../src/domain/LogId.ts"
import { matches } from "../../../src/domain/TopicFilter.ts"
import type { ExchangeClient, Received } from "../../../src/exchange/index.ts"
import type { Read, Seen } from "../../../src/testing/history.ts"
import type { Stored } from "../../../src/testing/reader.ts"

const utf8 = new TextDecoder()

export interface LiveReaderOptions {
  readonly name: string
  readonly node: number
  readonly filter: string
  readonly isSlow: boolean
  /** The journal's end when it had subscribed: all that comes after it must be seen. */
  readonly startMax: number
}

export class LiveReader {
  readonly options: LiveReaderOptions
  readonly came: Array<{ readonly content: string; readonly sender: string; readonly topic: string }> = []
  #onMore: (() => void) | undefined
  /** On a machine that stands still for long a slow reader may lose its place: what comes then, nobody owes it. */
  #isCutOff = false

  constructor(options: LiveReaderOptions) {
    this.options = options
  }

  /** Reads until the client is closed. */
  run(client: ExchangeClient) {
    return Stream.runForEachArray(client.inbox, (frames: ReadonlyArray<Received>) => {
      for (const { payload, sender, topic } of frames) this.came.push({ content: utf8.decode(payload), sender, topic })
      this.#onMore?.()
      return this.options.isSlow ? Effect.forEach([1, 2, 3], () => Effect.yieldNow, { discard: true }) : Effect.void
    }).pipe(
      Effect.catch(() =>
        Effect.sync(() => {
          this.#isCutOff = true
          this.#onMore?.()
        }),
      ),
    )
  }

  /** Waits until all has come that must. */
  complete(final: ReadonlyArray<Stored>): Effect.Effect<void> {
    const missing = new Set(this.#expected(final).map(({ content }) => content))
    const isComplete = (): boolean => {
      for (const { content } of this.came) missing.delete(content)
      return this.#isCutOff || missing.size === 0
    }
    return Effect.callback((resume) => {
      if (isComplete()) return resume(Effect.void)
      this.#onMore = () => {
        if (isComplete()) resume(Effect.void)
      }
    })
  }

  #expected(final: ReadonlyArray<Stored>): ReadonlyArray<Stored> {
    if (this.#isCutOff) return []
    const { filter, startMax } = this.options
    return final.filter(({ position, topic }) => position > startMax && matches(filter, topic))
  }

  /** For the history checker. What nobody has stored has no place there. */
  read(final: ReadonlyArray<Stored>): Read {
    const byContent = new Map(final.map((stored) => [stored.content, stored]))
    const seen = this.came.map(
      ({ content, topic }): Seen =>
        byContent.get(content) ?? {
          topic,
          origin: { tenant: "", line: "", device: "nowhere" },
          offset: 1,
          id: "",
          content,
          deleted: false,
        },
    )
    const expected = new Map<string, { firstMin: number; firstMax: number; last: number }>()
    for (const stored of this.#expected(final)) {
      const key = LogId.key(stored)
      const known = expected.get(key)
      if (known === undefined) expected.set(key, { firstMin: 1, firstMax: stored.offset, last: stored.offset })
      else known.last = stored.offset
    }
    return { reader: this.options.name, seen, expected }
  }

  /** What is wrong with the order over all logs, or with the senders. */
  problems(final: ReadonlyArray<Stored>, senderOf: (content: string, node: number) => string): ReadonlyArray<string> {
    const positions = new Map(final.map(({ content, position }) => [content, position]))
    const found: Array<string> = []
    let last = 0
    for (const { content, sender } of this.came) {
      const position = positions.get(content) ?? last
      if (position < last) found.push(`${this.options.name}: ${content} came after position ${last}`)
      last = position
      const right = senderOf(content, this.options.node)
      if (sender !== right) found.push(`${this.options.name}: ${content} came from ${sender}, and not from ${right}`)
    }
    return found
  }
}
