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
import { isSeveral } from "../../storage/parts/LogSelection.ts"
import { acceptBlocks } from "../../storage/parts/ReplicaBlocks.ts"
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

/** A page that is on its way, or there, and how many have a share in it. */
class SharedPage {
  readonly reading: Fiber.Fiber<JournalPage, StorageFailed>
  page: JournalPage | undefined
  #shares = 0

  constructor(reading: Fiber.Fiber<JournalPage, StorageFailed>) {
    this.reading = reading
  }

  /** Takes a share, which is there before the page is: the page lasts until everybody has given theirs back. */
  take(): void {
    this.#shares += 1
  }

  giveBack(): void {
    this.#shares -= 1
    if (this.#shares === 0) this.page?.release?.()
  }

  /** The page for one who has a share in it. */
  get forOne(): JournalPage {
    const page = this.page!
    if (page.release === undefined) return page
    let isOurs = true
    const release = (): void => {
      if (isOurs) this.giveBack()
      isOurs = false
    }
    return { messages: page.messages, scannedTo: page.scannedTo, end: page.end, release }
  }
}

class SharedPages {
  /** Those on their way, and those that are remembered, the oldest first. Being here is a share. */
  readonly #pages = new Map<string, SharedPage>()
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
      const shared = this.#pages.get(key)
      if (shared !== undefined) {
        shared.take()
        return given(shared)
      }
      // Whoever asks first may leave, and others still want it.
      return Effect.flatMap(Effect.forkIn(read, scope, { startImmediately: true }), (fiber) => {
        const shared = new SharedPage(fiber)
        shared.take()
        this.#add(key, ofFilter, shared)
        return given(shared)
      })
    })
  }

  #add(key: string, filter: string, shared: SharedPage): void {
    shared.take()
    this.#pages.set(key, shared)
    shared.reading.addObserver((exit) => {
      if (exit._tag === "Success") shared.page = exit.value
      // Another one is there instead where all were let go meanwhile.
      if (this.#pages.get(key) !== shared) return
      // The journal's last page grows.
      const isToStay = exit._tag === "Success" && exit.value.scannedTo < exit.value.end && this.#isShared(filter)
      if (!isToStay) return this.#letGo(key, shared)
      this.#letGoOldest()
      this.#sweep ??= this.#sweepLater()
    })
  }

  #letGo(key: string, shared: SharedPage): void {
    this.#pages.delete(key)
    shared.giveBack()
  }

  #letGoOldest(): void {
    let remembered = 0
    for (const { page } of this.#pages.values()) if (page !== undefined) remembered += 1
    for (const [key, shared] of this.#pages) {
      if (remembered <= pagesMax) return
      if (shared.page === undefined) continue
      this.#letGo(key, shared)
      remembered -= 1
    }
  }

  /** Lets go of everything that was read so far, also where it is still on its way. */
  letGoAll(): void {
    for (const [key, shared] of this.#pages) this.#letGo(key, shared)
  }

  close(): void {
    clearTimeout(this.#sweep)
    this.letGoAll()
  }

  #isShared(filter: string): boolean {
    const pages = this.#shared.get(filter)
    if (pages === undefined) return false
    if (pages < askedMax) this.#shared.set(filter, pages + 1)
    else this.#shared.delete(filter)
    return true
  }

  #sweepLater(): NodeJS.Timeout {
    this.#wasAsked = false
    return setTimeout(() => {
      this.#sweep = undefined
      if (this.#wasAsked) this.#sweep = this.#sweepLater()
      else this.letGoAll()
    }, lingerMillis).unref()
  }
}

/** The page to one who has taken a share in it. */
const given = (shared: SharedPage): Effect.Effect<JournalPage, StorageFailed> =>
  shared.page === undefined
    ? Effect.map(Fiber.join(shared.reading), () => shared.forOne)
    : Effect.succeed(shared.forOne)

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
    const letGoAll = Effect.sync(() => pages.letGoAll())
    const { onReopened } = store
    if (onReopened !== undefined) {
      yield* Effect.acquireRelease(
        Effect.sync(() => onReopened(() => letGoAll)),
        (remove) => Effect.sync(remove),
      )
    }
    return LogStore.of({
      ...store,
      accept: (log, messages) => Effect.ensuring(store.accept(log, messages), letGoAll),
      acceptBlocks: (log, from, blocks) => Effect.ensuring(acceptBlocks(store, log, from, blocks), letGoAll),
      tombstone: (request) => Effect.ensuring(store.tombstone(request), letGoAll),
      discard: (log, from) => Effect.ensuring(store.discard(log, from), letGoAll),
      readJournal: (after, filter, limit) =>
        isSeveral(filter)
          ? store.readJournal(after, filter, limit)
          : pages.read(after, filter, limit, store.readJournal(after, filter, limit), scope),
    })
  })

/** The store again, whose journal is read once for all who ask for the same page at about the same time. */
export const layer: Layer.Layer<LogStore, never, LogStore> = Layer.effect(LogStore, Effect.flatMap(LogStore, share))
