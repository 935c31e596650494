/**
 * Keeps what is known of peers in the store, for the next time that the node is started: what has changed, together, once a
 * second at most. Nothing is written where nothing has changed.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { StorageFailed, WriteFailure } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import type { RecordStore, StoredRecord } from "../../storage/RecordStore.ts"
import { SyncState } from "../SyncState.ts"
import type { PeerBook } from "./PeerBook.ts"
import { PeerMemory } from "./PeerMemory.ts"
import { logProblem } from "./plan.ts"

const all = "sync/"
const peerKey = (peer: string): string => `${all}peer/${peer}`
const logKey = (peer: string, { origin, topic }: LogId): string =>
  `${all}log/${JSON.stringify([peer, topic, origin.tenant, origin.line, origin.device])}`

const MemoryText = Schema.fromJsonString(PeerMemory)
const StateText = Schema.fromJsonString(SyncState)
const encodeMemory = Schema.encodeSync(MemoryText)
const decodeMemory = Schema.decodeUnknownOption(MemoryText)
const encodeState = Schema.encodeSync(StateText)
const decodeState = Schema.decodeUnknownOption(StateText)

/** Gives books back what was saved of their peers. What is of other peers, or cannot be read, is removed. */
export const restore = (
  store: RecordStore["Service"],
  books: ReadonlyArray<PeerBook>,
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const records = new Map((yield* store.records(all)).map(({ key, value }) => [key, value]))
    const used = new Set<string>()
    const states = [...records].flatMap(([key, value]) => {
      const state = key.startsWith(`${all}log/`) ? Option.getOrUndefined(decodeState(value)) : undefined
      return state === undefined || key !== logKey(state.peer, state.log) ? [] : [state]
    })
    for (const book of books) {
      const memory = Option.getOrUndefined(decodeMemory(records.get(peerKey(book.peer))))
      if (memory !== undefined) used.add(peerKey(book.peer))
      const own = states.filter(({ peer }) => peer === book.peer)
      for (const { log, peer } of own) used.add(logKey(peer, log))
      book.restore(memory, own)
    }
    const remove = [...records.keys()].filter((key) => !used.has(key))
    if (remove.length > 0) yield* Effect.catch(store.write({ put: [], remove }), couldNotBeSaved)
  })

const couldNotBeSaved = ({ message }: { readonly message: string }): Effect.Effect<void> =>
  Effect.logWarning(`what is known of peers could not be saved: ${message}`)

const save = (store: RecordStore["Service"], book: PeerBook): Effect.Effect<void, WriteFailure> =>
  Effect.suspend(() => {
    const changes = book.takeChanges()
    if (changes === undefined) return Effect.void
    const put: Array<StoredRecord> = []
    const remove: Array<string> = []
    if (changes.peer !== undefined) put.push({ key: peerKey(book.peer), value: encodeMemory(changes.peer) })
    for (const { log, state } of changes.logs) {
      const key = logKey(book.peer, log)
      if (state === undefined) remove.push(key)
      // A log that cannot be is found to be so again.
      else if (logProblem({ ...log, offset: 1 }) === undefined) put.push({ key, value: encodeState(state) })
    }
    return Effect.tapError(store.write({ put, remove }), () => Effect.sync(() => book.putBack(changes)))
  })

/** Saves what changes in books while the scope is open, and a last time when it closes. Gives what a book is to call. */
export const saving = (
  store: RecordStore["Service"],
  books: ReadonlyArray<PeerBook>,
): Effect.Effect<() => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changed = Latch.makeUnsafe(false)
    let isTold = false
    const saveAll = Effect.suspend(() => Effect.forEach(books, (book) => save(store, book), { discard: true })).pipe(
      Effect.andThen(Effect.sync(() => (isTold = false))),
      // What nobody expected is told too, and what changes later is saved.
      Effect.catchDefect((defect) => Effect.fail(new Error(`unexpectedly: ${String(defect)}`))),
      Effect.catch((failure) => {
        // What is not saved is compared again after the next start; whoever looks after the store hears of it elsewhere too.
        changed.openUnsafe()
        if (isTold) return Effect.void
        isTold = true
        return couldNotBeSaved(failure)
      }),
    )
    yield* Effect.addFinalizer(() => saveAll)
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(changed.await, Effect.andThen(Effect.sleep("1 second"), Effect.andThen(changed.close, saveAll))),
      ),
    )
    return () => void changed.openUnsafe()
  })
