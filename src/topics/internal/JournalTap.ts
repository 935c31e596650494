/**
 * Gives a follower the journal as it grows, without a place where anything waits: what it takes at once it is given as it
 * is committed, the rest is read from storage when it is ready again.
 *
 *     commit ───▶ at its end? ── yes ──▶ follower
 *                     │ no                  ▲
 *                     └──▶ target ──▶ pages ┘
 *
 * Invariants:
 * 1. All that is wanted up to `position` has been taken, once, in journal order.
 * 2. Whatever was committed after `position` comes with the next offer, or lies before `target` in storage.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { after, type Message } from "../../domain/Message.ts"
import { failureOf } from "../../storage/parts/failure.ts"
import type { JournalFilter, LogStore } from "../../storage/LogStore.ts"
import type { Follower } from "../Journal.ts"
import type { TopicsSettings } from "../TopicsSettings.ts"
import type { Tap } from "./LiveFeed.ts"

/** How long to wait before a page is read again that could not be read; twice as long each time, up to the longest. */
const retryMillisMin = 50
const retryMillisMax = 1000

/** With more filters than this, everything is read: looking at many filters costs more than the messages. */
const filtersMax = 64
const everything: ReadonlyArray<JournalFilter> = [{ topics: "#", origin: undefined }]

export class JournalTap implements Tap {
  readonly #store: LogStore["Service"]
  readonly #settings: TopicsSettings
  readonly #follower: Follower
  readonly #fork: (effect: Effect.Effect<void>) => void
  #position: number
  #target: number
  #isReading = false
  #isPaused = false
  /** Counts the times that other topics became wanted. */
  #changes = 0

  /** @param services and scope of the fibers that read */
  constructor(
    store: LogStore["Service"],
    settings: TopicsSettings,
    follower: Follower,
    position: number,
    services: Context.Context<Scope.Scope>,
  ) {
    this.#store = store
    this.#settings = settings
    this.#follower = follower
    this.#position = position
    this.#target = position
    const runFork = Effect.runForkWith(services)
    this.#fork = (effect) => void runFork(Effect.forkScoped(effect, { startImmediately: true }))
  }

  get position(): number {
    return this.#position
  }

  wants = (topic: string): boolean => this.#follower.wants(topic)

  get isContentWithLast(): boolean {
    return this.#follower.isContentWithLast === true
  }

  filters = (): ReadonlyArray<JournalFilter> => {
    const filters = this.#follower.filters()
    return filters.length > filtersMax ? everything : filters.map((topics) => ({ topics, origin: undefined }))
  }

  offer = (messages: ReadonlyArray<Message>, end: number): void => {
    if (end <= this.#position) return
    const isBehind = this.#isReading || this.#isPaused || this.#position < this.#target
    this.#target = Math.max(this.#target, end)
    if (!isBehind) this.#give(after(messages, this.#position), end)
  }

  jump = (end: number): void => {
    this.#target = Math.max(this.#target, end)
    this.#catchUp()
  }

  changed(): void {
    this.#changes++
  }

  #give(messages: ReadonlyArray<Message>, end: number): void {
    const taken = messages.length === 0 ? 0 : this.#follower.take(messages)
    const isAll = taken === messages.length
    if (isAll) this.#position = end
    else if (taken > 0) this.#position = messages[taken - 1]!.position
    this.#follower.reached(this.#position)
    if (isAll) return
    this.#isPaused = true
    this.#follower.whenReady(() => {
      this.#isPaused = false
      this.#catchUp()
    })
  }

  #catchUp(): void {
    if (this.#isReading || this.#isPaused || this.#position >= this.#target) return
    this.#isReading = true
    this.#fork(this.#read())
  }

  readonly #read = Effect.fnUntraced(function* (this: JournalTap) {
    const limit = { rows: this.#settings.pageMessagesMax, bytes: this.#settings.pageBytesMax }
    let delayMillis = 0
    let isSelective = true
    while (!this.#isPaused && this.#position < this.#target) {
      const changes = this.#changes
      const filters = isSelective ? this.filters() : everything
      if (filters.length === 0) {
        this.#give([], this.#target)
        continue
      }
      const read = yield* Effect.exit(this.#store.readJournal(this.#position, filters, limit))
      if (Exit.isFailure(read)) {
        const { message } = failureOf(read.cause, "follow")
        if (delayMillis === 0) yield* Effect.logWarning(`messages cannot be read for live subscribers: ${message}`)
        delayMillis = Math.min(Math.max(2 * delayMillis, retryMillisMin), retryMillisMax)
        yield* Effect.sleep(delayMillis)
        continue
      }
      delayMillis = 0
      const page = read.value
      // What was said to be there cannot be seen yet.
      if (page.scannedTo <= this.#position) yield* Effect.sleep(retryMillisMin)
      // What became wanted meanwhile may be missing: all is read then, so that this is so only once.
      const isWhole: boolean = changes === this.#changes || !isSelective
      isSelective = isWhole
      if (isWhole) {
        const wanted = page.messages.filter(({ topic }) => this.#follower.wants(topic))
        this.#give(wanted, page.scannedTo)
      }
      page.release?.()
    }
    // At once: whoever calls back from here on begins anew.
    this.#isReading = false
  })
}
