/**
 * Stores whose backend runs in threads of its own: one that writes, and readers beside it, so that replay
 * never waits for a commit to reach the disk.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { LogStore } from "../LogStore.ts"
import type { CursorStore } from "../CursorStore.ts"
import type { QueueStore } from "../QueueStore.ts"
import type { RecordStore } from "../RecordStore.ts"
import type { Stores } from "../Stores.ts"
import { acceptedOf } from "../parts/ReplicaBlocks.ts"
import { packDrafts, packReplicas, packRun, resultOfPlaces, unpackMessages } from "./Codec.ts"
import { buffersOf } from "./itemBuffers.ts"
import type { Operation, ReadOperation } from "./Protocol.ts"
import { StorageThread } from "./StorageThread.ts"

export interface WorkerOptions {
  /**
   * The backend: a module that exports `layer(options)`, and `layerReader(options)` where there are to be readers.
   * It is loaded in the threads, not here.
   */
  readonly module: URL
  /** What the module's functions are called with; must survive structured cloning. */
  readonly options: unknown
  /** Threads that only read, by default none. They open after the store is open; until then the writer reads. */
  readonly readers?: number | undefined
}

export const make = ({
  module,
  options,
  readers = 0,
}: WorkerOptions): Effect.Effect<Stores, StoreUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const stopped = yield* Deferred.make<string>()
    /** A thread that has ended has given up, too. */
    const watch = (thread: StorageThread) =>
      thread.call<"stopped">({ operation: "stopped" }).pipe(
        Effect.catch(({ message }) => Effect.succeed(message)),
        Effect.flatMap((why) => Deferred.succeed(stopped, why)),
        Effect.forkScoped({ startImmediately: true }),
      )
    const writer = yield* StorageThread.open(module, { role: "writer", options })
    yield* watch(writer)
    const reading: Array<StorageThread> = []
    for (let i = 0; i < readers; i++) {
      yield* StorageThread.open(module, { role: "reader", options }).pipe(
        Effect.tap((reader) => Effect.sync(() => reading.push(reader))),
        Effect.tap(watch),
        Effect.catch((error) => Effect.logWarning(`a storage reader did not start: ${error.message}`)),
        Effect.forkScoped,
      )
    }
    let turn = 0
    const read = <Name extends ReadOperation>(operation: Operation & { readonly operation: Name }) =>
      Effect.suspend(() => {
        const thread = reading.length === 0 ? writer : reading[turn++ % reading.length]!
        return thread.call<Name>(operation)
      })

    const logs: LogStore["Service"] = {
      info: writer.info,
      append: (requests) =>
        Effect.suspend(() => {
          const packed = packDrafts(requests)
          return Effect.map(
            writer.call<"append">({ operation: "append", requests: packed }, [packed.bytes]),
            (answer) => (answer.places === undefined ? answer.result : resultOfPlaces(packed, answer.places)),
          )
        }),
      accept: (log, messages) =>
        Effect.suspend(() => {
          const packed = packReplicas(messages)
          return Effect.map(
            writer.call<"accept">({ operation: "accept", log, messages: packed }, [packed.bytes]),
            (run) => ({ accepted: acceptedOf(log, messages, run), head: run.head }),
          )
        }),
      acceptBlocks: (log, from, blocks) =>
        Effect.suspend(() => {
          const packed = packRun(from, blocks)
          return writer.call<"accept">({ operation: "accept", log, messages: packed }, [packed.bytes])
        }),
      tombstone: (request) =>
        Effect.map(writer.call<"tombstone">({ operation: "tombstone", request }), ({ deleted, marker }) => ({
          deleted,
          marker: marker === undefined ? undefined : unpackMessages(marker)[0],
        })),
      discard: (log, from) => writer.call<"discard">({ operation: "discard", log, from }),
      readLog: (log, from, limit) =>
        Effect.map(read<"readLog">({ operation: "readLog", log, from, limit }), unpackMessages),
      readBlocks: (log, from, limit) => read<"readBlocks">({ operation: "readBlocks", log, from, limit }),
      readJournal: (after, filter, limit) =>
        Effect.map(read<"readJournal">({ operation: "readJournal", after, filter, limit }), (page) => ({
          messages: unpackMessages(page.messages),
          scannedTo: page.scannedTo,
          end: page.end,
          release: releaseOf(page.messages.payloads.bytes),
        })),
      head: (log) =>
        Effect.map(read<"head">({ operation: "head", log }), (head) =>
          head === 0 ? Option.none() : Option.some(head),
        ),
      heads: read<"heads">({ operation: "heads" }),
      end: read<"end">({ operation: "end" }),
      stopped: Deferred.await(stopped),
      check: Effect.suspend(() =>
        Effect.forEach([writer, ...reading], (thread) => thread.call<"check">({ operation: "check" }), {
          discard: true,
        }),
      ),
    }
    const queues: QueueStore["Service"] = {
      apply: (operations) =>
        writer.call<"apply">(
          { operation: "apply", operations },
          buffersOf(operations.flatMap((operation) => (operation.type === "enqueue" ? operation.blocks : []))),
        ),
      page: (queue, after, limit) => read<"page">({ operation: "page", queue, after, limit }),
      queues: read<"queues">({ operation: "queues" }),
    }
    const cursors: CursorStore["Service"] = {
      claim: (claim) => writer.call<"claim">({ operation: "claim", claim }),
      move: (moves) => writer.call<"move">({ operation: "move", moves }),
      reset: (reset) => writer.call<"reset">({ operation: "reset", reset }),
      delete: (name) => writer.call<"delete">({ operation: "delete", name }),
      cursors: read<"cursors">({ operation: "cursors" }),
    }
    const records: RecordStore["Service"] = {
      write: (change) => writer.call<"write">({ operation: "write", change }),
      records: (prefix) => read<"records">({ operation: "records", prefix }),
    }
    return { logs, queues, cursors, records }
  })

/** Sets a page's buffer free, where it has one to speak of. */
const releaseOf = (bytes: ArrayBuffer): (() => void) | undefined =>
  bytes.byteLength === 0 ? undefined : () => void bytes.transfer(0)
