/**
 * Live to durable: publications on durable topics are stored before they are delivered. They come back from the journal,
 * and are delivered as everything that is committed is; then whoever published is told. All of a chunk of frames share a
 * commit, and no fiber waits for any of them.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { TopicTrie } from "../../domain/TopicTrie.ts"
import type { RoutingCore, StoreFirst } from "../../exchange/index.ts"
import type { DepositError, Journal } from "../../topics/index.ts"
import type { Done, Publications } from "./Publications.ts"

/** Topics of which it is remembered whether they are durable. */
const knownTopicsMax = 4096

/** What a publication costs while it waits, in bytes, besides its content. */
const waitingBytes = 400

/** Between two log entries about publications that were not stored, in milliseconds. */
const logPauseMillis = 10_000

const notStored = Metric.counter("millrace_live_not_stored_total", {
  description: "Publications of live clients on durable topics that could not be stored, and were not delivered",
  incremental: true,
})

/** Tells whether a topic matches one of the filters. */
export const makeIsDurable = (filters: ReadonlyArray<string>): ((topic: string) => boolean) => {
  const trie = new TopicTrie<true>()
  for (const filter of filters) trie.add(filter, true)
  const known = new Map<string, boolean>()
  return (topic) => {
    const before = known.get(topic)
    if (before !== undefined) return before
    const isDurable = trie.match(topic).length > 0
    if (known.size >= knownTopicsMax) known.clear()
    known.set(topic, isDurable)
    return isDurable
  }
}

/** Stores what clients of a core publish on topics that match, until the scope closes. */
export const storeFirst = Effect.fnUntraced(function* (
  core: RoutingCore,
  journal: Journal["Service"],
  publications: Publications,
  filters: ReadonlyArray<string>,
): Effect.fn.Return<void, never, Scope.Scope> {
  const services = yield* Effect.context<never>()
  const runFork = Effect.runForkWith(services)
  notStored.updateUnsafe(0, services)
  let lastLog = -logPauseMillis
  let unlogged = 0

  const failed = (topic: string, { message }: DepositError): void => {
    notStored.updateUnsafe(1, services)
    unlogged++
    const now = performance.now()
    if (now - lastLog < logPauseMillis) return
    const others = unlogged === 1 ? "" : `, and ${unlogged - 1} others before it`
    lastLog = now
    unlogged = 0
    runFork(
      Effect.logWarning(
        `a live publication on the durable topic ${JSON.stringify(topic)} was not stored${others}: ${message}`,
      ),
    )
  }

  const publish: StoreFirst["publish"] = (from, topic, payload, isLent, isRealtime, settle) => {
    const bytes = waitingBytes + payload.byteLength
    core.unsettled.add(from, bytes)
    const settled = (failure?: DepositError): void => {
      core.unsettled.remove(from, bytes)
      if (failure === undefined) {
        settle("ok")
      } else {
        failed(topic, failure)
        settle("notStored", failure)
      }
      core.flushSoon()
    }
    let isReturned = false
    // What is refused at once is settled later all the same.
    const done: Done = (failure) => (isReturned ? settled(failure) : queueMicrotask(() => settled(failure)))
    const depositor = publications.begin({ name: from.name, isRealtime }, done)
    journal.deposit(topic, isLent ? new Uint8Array(payload) : payload, depositor)
    isReturned = true
  }

  yield* Effect.acquireRelease(
    Effect.sync(() => {
      core.storeFirst = { isDurable: makeIsDurable(filters), publish }
    }),
    () =>
      Effect.sync(() => {
        core.storeFirst = undefined
      }),
  )
})
