/**
 * One node that copies another over gRPC on loopback, each with a SQLite file and every commit synced; the other is a process
 * of its own.
 */
import { Context, Deferred, Effect, Exit, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { join } from "node:path"
import type { LogHead } from "../../src/domain/LogId.ts"
import { GrpcServer, layerServer, makePeer } from "../../src/protocol/grpc/index.ts"
import { PeerBook } from "../../src/replication/internal/PeerBook.ts"
import { PeerSync } from "../../src/replication/internal/PeerSync.ts"
import { defaultPeerSettings, type Peer, Replication, type SyncState } from "../../src/replication/index.ts"
import type { RecordStore } from "../../src/storage/RecordStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { Bus, makeDirectory, payload, publishBatches, replay } from "../bus.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, measureAlone, median, rate } from "../measure.ts"
import { ServedNode, sharedMillis } from "../replication/ServedNode.ts"

const suite = "replication"

/** Only what a peer tells is looked at. */
const unasked = { intervalMillis: 3_600_000, relistMillis: 3_600_000 }

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const count = full ? 1_000_000 : times > 1 ? 100_000 : 20_000
  const [directory, remove] = makeDirectory()
  const local = new Bus(Sqlite.layer({ path: join(directory, "local.sqlite") }))
  await local.run((topics) => publishBatches(topics, count))
  const served = await ServedNode.start()
  const follower = makeFollower(served.url, join(directory, "follower.sqlite"))
  let round = 0
  report(
    await comparePair(
      suite,
      {
        name: "sync",
        unit: "messages/s",
        against: "the same messages replayed locally, in one process",
        ours: async () => {
          // What was copied before is not looked at again.
          await served.publish({ kind: "batches", topic: `copied/${++round}`, count })
          return follower.runPromise(copied(count))
        },
        baseline: () => rate(count, () => local.run((topics) => replay(topics, count))),
      },
      times,
    ),
  )
  await local.close()
  report(await follower.runPromise(delay(served, full ? 200 : times > 1 ? 100 : 20)))
  await follower.dispose()
  await served.stop()
  remove()
  await idle(full ? 100_000 : 10_000, times, report)
}

/** A node with a store of its own, and what makes it follow a peer until the scope closes. */
const makeFollower = (url: string, path: string) => {
  const node = { tenant: "bench", line: "replication", device: "follower" }
  const store = Sqlite.layer({ path, node })
  const peer = Layer.effect(
    Follow,
    Effect.gen(function* () {
      const links = [{ peer: yield* Effect.orDie(makePeer({ url })), settings: unasked }]
      const context = yield* Effect.context<Topics.Replica | RecordStore>()
      return Effect.asVoid(
        Layer.build(Layer.provide(Layer.fresh(Replication.layer(links)), Layer.succeedContext(context))),
      )
    }),
  )
  return ManagedRuntime.make(Layer.provideMerge(peer, Layer.provideMerge(Topics.layer, store)))
}

class Follow extends Context.Service<Follow, Effect.Effect<void, unknown, Scope.Scope>>()("bench/Follow") {}

/** Messages a second, from the first question to the last commit. */
const copied = (count: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const journal = yield* Topics.Journal
      const done = yield* Deferred.make<number>()
      let last = Number.POSITIVE_INFINITY
      const { position } = yield* journal.follow({
        wants: () => false,
        filters: () => [],
        take: () => 0,
        whenReady: () => undefined,
        reached: (position) => {
          if (position >= last) Deferred.doneUnsafe(done, Exit.succeed(performance.now()))
        },
      })
      last = position() + count
      const start = performance.now()
      yield* yield* Follow
      return (count / ((yield* Deferred.await(done)) - start)) * 1000
    }),
  )

/** From when a publish has succeeded there until a subscriber here has its message. */
const delay = (served: ServedNode, count: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const topics = yield* Topics.Topics
      const seen: Array<number> = []
      const [ready, done] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      yield* topics.subscribe("delayed").pipe(
        Stream.runForEachArray((messages) =>
          Effect.sync(() => {
            for (const _ of messages) seen.push(sharedMillis())
            Deferred.doneUnsafe(ready, Exit.void)
            if (seen.length > count) Deferred.doneUnsafe(done, Exit.void)
          }),
        ),
        Effect.forkScoped,
      )
      yield* yield* Follow
      const publish = (count: number) =>
        Effect.promise(() => served.publish({ kind: "lone", topic: "delayed", count, pauseMillis: 20 }))
      // The first comes when the follower is told what moves.
      yield* publish(1)
      yield* Deferred.await(ready)
      const published = yield* publish(count)
      yield* Deferred.await(done)
      const value = median(published.map(({ resolved }, i) => seen[i + 1]! - resolved))
      const baseline = median(published.map(({ began, resolved }) => resolved - began))
      const against = "how long the publish itself takes"
      return { suite, name: "delay", value, unit: "ms", baseline, ratio: value / baseline, against }
    }),
  )

/** What it costs to see that nothing is to be done. */
const idle = async (logs: number, times: number, report: SuiteOptions["report"]): Promise<void> => {
  const [x, y] = ["x", "y"].map((device) => {
    const node = { tenant: "bench", line: "idle", device }
    return ManagedRuntime.make(Topics.layer.pipe(Layer.provide(Memory.layer({ node }))))
  })
  const there = await x!.context()
  const here = await y!.context()
  const served = ManagedRuntime.make(
    layerServer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provide(Layer.succeedContext(there))),
  )
  const { url } = await served.runPromise(GrpcServer)
  const topics = Context.get(there, Topics.Topics)
  const replica = Context.get(here, Topics.Replica)
  const scope = Effect.runSync(Scope.make())
  const counts = { heads: 0, fetches: 0, writes: 0 }

  const pass = await Effect.runPromise(
    Effect.gen(function* () {
      const drafts = Array.from({ length: logs }, (_, i) => ({ topic: `sensors/${i}`, payload }))
      yield* topics.publishAll(drafts)
      const heads = yield* topics.heads
      for (const log of heads) yield* replica.accept(log, yield* topics.fetch(log.topic))
      const peer = yield* Scope.provide(makePeer({ url }), scope)
      const book = new PeerBook(peer.name, () => counts.writes++)
      book.restore(
        undefined,
        heads.map((head) => inStep(peer.name, head)),
      )
      const counted: Peer = {
        ...peer,
        heads: Effect.suspend(() => (counts.heads++, peer.heads)),
        fetch: (...asked) => (counts.fetches++, peer.fetch(...asked)),
      }
      const counting: Topics.Replica["Service"] = {
        ...replica,
        accept: (...messages) => (counts.writes++, replica.accept(...messages)),
        acceptBlocks: (...run) => (counts.writes++, replica.acceptBlocks(...run)),
        deleteRange: (...range) => (counts.writes++, replica.deleteRange(...range)),
      }
      const sync = new PeerSync(counted, counting, { ...defaultPeerSettings, ...unasked }, book)
      yield* sync.pass
      return sync.pass
    }),
  )
  const ours = async (): Promise<number> => {
    Object.assign(counts, { heads: 0, fetches: 0, writes: 0 })
    const start = performance.now()
    await Effect.runPromise(pass)
    const millis = performance.now() - start
    if (counts.heads !== 1 || counts.fetches > 0 || counts.writes > 0) {
      throw new Error(`a pass over equal logs is one list and no write, not ${JSON.stringify(counts)}`)
    }
    return millis
  }
  report(await measureAlone(suite, { name: "idle", unit: "ms", ours }, times))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  for (const runtime of [served, x!, y!]) await runtime.dispose()
}

/** What is known of a log that has been compared. */
const inStep = (peer: string, { offset, ...log }: LogHead): SyncState => ({
  peer,
  log,
  localHead: offset,
  remoteHead: offset,
  syncedHead: offset,
  lastAttemptAt: 1,
  lastSuccessAt: 1,
  failures: 0,
  lastError: undefined,
  quarantine: undefined,
})
