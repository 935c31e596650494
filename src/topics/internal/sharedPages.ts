/**
 * Subscribers that replay side by side, as all do when a node has been started again, ask for the same pages of the
 * journal at about the same time. Here such a page is read once, and given to all of them: that spares the store the
 * reading, and the node the memory of as many copies.
 *
 * A page is remembered for a moment only, and only where pages of its filter were asked for more than once lately: who
 * replays alone pays nothing. What was read before a deletion was acknowledged is given to nobody who asks after that:
 * every write that can take something away lets go of all pages. A page may have been read a moment before it was asked
 * for, and end where the journal ended then; who wants more asks again.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StorageFailed } from "../../domain/errors.ts"
import * as NodeId from "../../domain/NodeId.ts"
import { isSeveral } from "../../storage/LogSelection.ts"
import { type JournalFilter, type JournalPage, LogStore, type PageLimit } from "../../storage/LogStore.ts"

/** Pages that are remembered, at most; those of replay hold a MiB or less. */
const pagesMax = 8
/** Pages of which is remembered that they were read. */
const askedMax = 64
/** How long pages are kept that nobody asks for, at most twice that. */
const lingerMillis = 500

const filterKey = ({ origin, topics }: JournalFilter): string =>
  `${topics}\0${origin === undefined ? "" : NodeId.key(origin)}`

const pageKey = (after: number, filter: string, { bytes, rows }: PageLimit): string =>
  `${after} ${rows} ${bytes} ${filter}`

class SharedPages {
  readonly #reading = new Map<string, Fiber.Fiber<JournalPage, StorageFailed>>()
  readonly #pages = new Map<string, JournalPage>()
  /** Pages that were asked for lately, whether they are remembered or not. */
  readonly #asked = new Set<string>()
  /** Filters with pages that were asked for more than once, and how many pages were read since. */
  readonly #shared = new Map<string, number>()
  #sweep: NodeJS.Timeout | undefined
  #wasAsked = false

  read(
    after: number,
    filter: JournalFilter,
    limit: PageLimit,
    read: Effect.Effect<JournalPage, StorageFailed>,
    scope: Scope.Scope,
  ): Effect.Effect<JournalPage, StorageFailed> {
    return Effect.suspend(() => {
      const ofFilter = filterKey(filter)
      const key = pageKey(after, ofFilter, limit)
      this.#wasAsked = true
      if (this.#asked.has(key)) this.#shared.set(ofFilter, 0)
      else remember(this.#asked, key)
      const page = this.#pages.get(key)
      if (page !== undefined) return Effect.succeed(page)
      const reading = this.#reading.get(key)
      if (reading !== undefined) return Fiber.join(reading)
      // Whoever asks may leave, and the others still want it.
      return Effect.flatMap(Effect.forkIn(read, scope, { startImmediately: true }), (fiber) => {
        this.#reading.set(key, fiber)
        fiber.addObserver((exit) => {
          // Another one is there instead where the pages were let go meanwhile.
          if (this.#reading.get(key) !== fiber) return
          this.#reading.delete(key)
          if (exit._tag === "Success" && this.#isShared(ofFilter)) this.#keep(key, exit.value)
        })
        return Fiber.join(fiber)
      })
    })
  }

  /** Lets go of everything that was read so far, also where it is still on its way. */
  readonly clear: Effect.Effect<void> = Effect.sync(() => {
    this.#pages.clear()
    this.#reading.clear()
  })

  close(): void {
    clearTimeout(this.#sweep)
    this.#pages.clear()
  }

  #isShared(filter: string): boolean {
    const pages = this.#shared.get(filter)
    if (pages === undefined) return false
    if (pages < askedMax) this.#shared.set(filter, pages + 1)
    else this.#shared.delete(filter)
    return true
  }

  #keep(key: string, page: JournalPage): void {
    // The last page grows.
    if (page.scannedTo >= page.end) return
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size < pagesMax) break
      this.#pages.delete(oldest)
    }
    this.#pages.set(key, page)
    this.#sweep ??= this.#sweepLater()
  }

  #sweepLater(): NodeJS.Timeout {
    this.#wasAsked = false
    return setTimeout(() => {
      this.#sweep = undefined
      if (this.#wasAsked) this.#sweep = this.#sweepLater()
      else this.#pages.clear()
    }, lingerMillis).unref()
  }
}

/** Adds to a set of bounded size. */
const remember = (set: Set<string>, value: string): void => {
  for (const oldest of set) {
    if (set.size < askedMax) break
    set.delete(oldest)
  }
  set.add(value)
}

const share = (store: LogStore["Service"]): Effect.Effect<LogStore["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    // What other nodes delete, nobody here hears of before somebody may have read on.
    if (store.info.isShared === true) return store
    const scope = yield* Effect.scope
    const pages = yield* Effect.acquireRelease(
      Effect.sync(() => new SharedPages()),
      (pages) => Effect.sync(() => pages.close()),
    )
    const { onReopened } = store
    if (onReopened !== undefined) {
      yield* Effect.acquireRelease(
        Effect.sync(() => onReopened(() => pages.clear)),
        (remove) => Effect.sync(remove),
      )
    }
    return LogStore.of({
      ...store,
      accept: (log, messages) => Effect.ensuring(store.accept(log, messages), pages.clear),
      tombstone: (request) => Effect.ensuring(store.tombstone(request), pages.clear),
      readJournal: (after, filter, limit) =>
        isSeveral(filter)
          ? store.readJournal(after, filter, limit)
          : pages.read(after, filter, limit, store.readJournal(after, filter, limit), scope),
    })
  })

/** The store again, whose journal is read once for all who ask for the same page at about the same time. */
export const layer: Layer.Layer<LogStore, never, LogStore> = Layer.effect(LogStore, Effect.flatMap(LogStore, share))
