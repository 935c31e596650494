/**
 * A full disk: nothing new is taken, what takes away goes on without end, and when there is space again so does the
 * rest. After each phase the store is opened anew, and nothing that was acknowledged is missing.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Schedule, type Scope } from "effect"
import type { StoreUnusable, StorageFailed } from "../../src/domain/errors.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { format } from "../../src/testing/history.ts"
import * as Topics from "../../src/topics/index.ts"
import { makeDirectory, run, startNode } from "../cli/program.ts"
import { type Bus, clean, Ledger } from "./Ledger.ts"
import * as SmallDisk from "./smallDisk.ts"

const mebibyte = 1024 * 1024
const diskBytes = 128 * mebibyte
const ballastBytes = 56 * mebibyte

const queues = ["work/a", "work/b"] as const
const topics = ["load/a", "load/b"] as const
const itemBytes = 600
const messageBytes = 6000
/** Acknowledgements on the full disk, each a commit of its own, and so many that share commits. */
const loneAcks = 2000
const sharedAcks = 2000

/** A storage, and the names of its files: that of its data, below the path that it is opened by, and all that are left. */
const backends = {
  sqlite: { layer: Sqlite.layer, data: "", left: ["bus", "bus-lock", "bus-reserve"] },
  lmdb: {
    layer: Lmdb.layer,
    data: "/data.mdb",
    left: ["bus", "bus/data.mdb", "bus/data.mdb-lock", "bus/data.mdb-reserve", "bus/lock.mdb"],
  },
} as const
type Backend = (typeof backends)[keyof typeof backends]

/** A store of a storage. */
interface Store {
  readonly backend: Backend
  readonly path: string
}

const open = ({ backend, path }: Store): Effect.Effect<Bus, StoreUnusable | StorageFailed, Scope.Scope> =>
  Layer.build(Layer.merge(Topics.layer, Queues.layer).pipe(Layer.provide(backend.layer({ path }))))

const check = (bus: Bus) => Context.get(bus, Topics.Topics).check

/** Opens the store for as long as it takes to do something with it. */
const opened = <A, E>(store: Store, use: (bus: Bus) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(store), use))

/** Writes until the disk is full and several in a row have been refused. */
const fill = (ledger: Ledger, bus: Bus) =>
  Effect.gen(function* () {
    let refused = 0
    while (refused < 5) {
      const came = yield* Effect.all(
        [
          ...topics.flatMap((topic) => Array.from({ length: 20 }, () => ledger.publish(bus, topic, messageBytes))),
          ...queues.flatMap((queue) => Array.from({ length: 50 }, () => ledger.enqueue(bus, queue, itemBytes))),
        ],
        { concurrency: "unbounded" },
      )
      expect(came.filter((each) => each !== "ok" && each !== "StorageFull")).toEqual([])
      refused = came.includes("ok") ? 0 : refused + 1
    }
  })

const drain = (ledger: Ledger, bus: Bus, acks: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < acks; i++) expect(yield* ledger.ackFront(bus, queues[i % 2]!)).toBe("ok")
  })

/** Takers at both queues at once, whose acknowledgements share commits, beside publishes that are refused. */
const drainTogether = (ledger: Ledger, bus: Bus, acks: number) =>
  Effect.all(
    queues.map((queue) =>
      Effect.gen(function* () {
        for (let i = 0; i < acks / 2; i++) {
          const came = yield* Effect.all([ledger.ackFront(bus, queue), ledger.enqueue(bus, queue, itemBytes)], {
            concurrency: "unbounded",
          })
          expect(came).toEqual(["ok", "StorageFull"])
        }
      }),
    ),
    { concurrency: "unbounded" },
  )

/** Where the consumer's cursor is. */
const positionOf = (bus: Bus) =>
  Effect.map(Context.get(bus, Topics.Topics).cursors, (cursors) => cursors[0]?.position ?? 0)

/** Handles so many messages; gives where the cursor is then. */
const consume = (bus: Bus, messages: number) =>
  Effect.gen(function* () {
    let handled = 0
    const isDone = yield* Deferred.make<void>()
    yield* Context.get(bus, Topics.Topics)
      .consume("reader", topics[0], () =>
        Effect.suspend(() => (++handled === messages ? Deferred.succeed(isDone, undefined) : Effect.void)),
      )
      .pipe(Effect.raceFirst(Deferred.await(isDone)))
    return yield* positionOf(bus)
  })

const verdictOf = (ledger: Ledger, store: Store) =>
  opened(store, (bus) => Effect.map(ledger.readFinal(bus), (final) => format(ledger.verdict(final))))

describe.skipIf(SmallDisk.obstacle !== undefined)("a disk that is full", () => {
  it.live.each(["sqlite", "lmdb"] as const)(
    "takes nothing new, goes on to take away, and is itself again when there is space: %s",
    (name) =>
      Effect.gen(function* () {
        const disk = yield* SmallDisk.make(diskBytes)
        const backend: Backend = backends[name]
        const store: Store = { backend, path: join(disk, "bus") }
        const data = `${store.path}${backend.data}`
        const ledger = new Ledger()
        const ballast = SmallDisk.ballast(disk, ballastBytes)
        let position = 0
        const reserve = () => statSync(`${data}-reserve`)

        yield* opened(store, (bus) =>
          Effect.gen(function* () {
            yield* check(bus)
            yield* Effect.sync(reserve).pipe(
              Effect.repeat({ until: ({ size }) => size === 32 * mebibyte, schedule: Schedule.spaced("5 millis") }),
            )
            expect((reserve().mode & 0o777).toString(8)).toBe("600")
            expect(reserve().blocks * 512).toBeGreaterThanOrEqual(32 * mebibyte)
            yield* fill(ledger, bus)
            expect(reserve().size).toBe(0)
            expect(yield* Effect.flip(check(bus))).toMatchObject({
              _tag: "StorageFull",
              message: expect.stringMatching(/^the disk is full: nothing new is stored until 48 MiB are free in /),
            })
            yield* drain(ledger, bus, loneAcks)
            yield* drainTogether(ledger, bus, sharedAcks)
            for (const queue of queues) expect(yield* ledger.rejectFront(bus, queue)).toBe("ok")
            position = yield* consume(bus, 500)
            for (const topic of topics) {
              for (let from = 1; from <= 1000; from += 10) {
                expect(yield* ledger.delete(bus, topic, from, from + 9)).toBe("ok")
              }
            }
          }),
        )
        expect(position).toBeGreaterThanOrEqual(500)
        expect(ledger.count("ack", "ok")).toBe(loneAcks + sharedAcks)
        expect([...ledger.counts.keys()].filter((came) => !/ (ok|StorageFull)$/.test(came))).toEqual([])
        expect(yield* verdictOf(ledger, store)).toBe(clean)

        // Opened on a full disk, it goes on in the same way.
        yield* opened(store, (bus) =>
          Effect.gen(function* () {
            expect(yield* positionOf(bus)).toBe(position)
            yield* fill(ledger, bus)
            expect(yield* consume(bus, 100)).toBeGreaterThan(position)
            expect(yield* Effect.flip(check(bus))).toMatchObject({ _tag: "StorageFull" })
            yield* drain(ledger, bus, 200)
            ballast.remove()
            // By itself: nobody opens it anew.
            yield* check(bus).pipe(Effect.retry(Schedule.spaced("20 millis")))
            expect(reserve().size).toBe(32 * mebibyte)
            for (const topic of topics) expect(yield* ledger.publish(bus, topic, messageBytes)).toBe("ok")
            for (const queue of queues) expect(yield* ledger.enqueue(bus, queue, itemBytes)).toBe("ok")
          }),
        )
        expect(yield* verdictOf(ledger, store)).toBe(clean)

        // And once more, for what came back must have been real.
        yield* opened(store, (bus) =>
          Effect.gen(function* () {
            yield* fill(ledger, bus)
            yield* drain(ledger, bus, 200)
          }),
        )
        expect(yield* verdictOf(ledger, store)).toBe(clean)
        expect(readdirSync(disk, { recursive: true }).toSorted()).toEqual(backend.left)
      }).pipe(Effect.scoped),
    120_000,
  )

  it.live.each(["sqlite", "lmdb"] as const)(
    "may stop those who take away, too, where there can be no reserve, and is itself again when there is space: %s",
    (name) =>
      Effect.gen(function* () {
        const disk = yield* SmallDisk.make(diskBytes)
        const backend: Backend = backends[name]
        const store: Store = { backend, path: join(disk, "bus") }
        const data = `${store.path}${backend.data}`
        const ledger = new Ledger()
        const ballast = SmallDisk.ballast(disk, ballastBytes)
        // In the way of the file, as another user's would be.
        mkdirSync(`${data}-reserve`, { recursive: true })
        yield* opened(store, (bus) =>
          Effect.gen(function* () {
            yield* fill(ledger, bus)
            let came: string
            do came = yield* ledger.ackFront(bus, queues[0])
            while (came === "ok" && ledger.count("ack", "ok") < loneAcks)
            // LMDB has pages of its own for that: it stops some way before the disk is full.
            expect(came).toBe(name === "lmdb" ? "ok" : "StorageFull")
            ballast.remove()
            yield* check(bus).pipe(Effect.retry(Schedule.spaced("20 millis")))
            expect(yield* ledger.publish(bus, topics[0], messageBytes)).toBe("ok")
            expect(yield* ledger.ackFront(bus, queues[0])).toBe("ok")
          }),
        )
        expect(yield* verdictOf(ledger, store)).toBe(clean)
      }).pipe(Effect.scoped),
    120_000,
  )
})

describe.skipIf(SmallDisk.obstacle !== undefined)("a node on a disk that is full", () => {
  it.live(
    "says so in one sentence, acknowledges all the same, and is ready again when there is space",
    () =>
      Effect.gen(function* () {
        const disk = yield* SmallDisk.make(96 * mebibyte)
        const ballast = SmallDisk.ballast(disk, 52 * mebibyte)
        const cwd = makeDirectory()
        const node = yield* Effect.promise(() => startNode(cwd, ["--data", join(disk, "data")]))
        const url = ["--url", node.report["grpc"]!]
        const millrace = (args: ReadonlyArray<string>, input = "") =>
          Effect.promise(() => run([...args, ...url], { cwd, input }))
        expect((yield* millrace(["queue", "enqueue", "q", "an item"])).code).toBe(0)
        const lines = Array.from({ length: 400 }, (_, i) => `${i}`.padEnd(60_000, ".")).join("\n")
        const published = yield* millrace(["publish", "t", "--lines"], lines)
        expect(published.code).toBe(1)
        expect(published.stderr).toMatch(/the disk is full: nothing new is stored until 48 MiB are free in /)
        const enqueued = yield* millrace(["queue", "enqueue", "q", "another"])
        expect([enqueued.code, enqueued.stderr.trimEnd().split("\n").length]).toEqual([1, 1])
        expect(enqueued.stderr).toContain("the disk is full")
        const readyz = Effect.promise(() => fetch(`${node.report["admin"]}/readyz`).then((answer) => answer.text()))
        expect(yield* readyz).toMatch(/^NOT_READY the disk is full: /)
        const front: { readonly id: string } = JSON.parse((yield* millrace(["queue", "peek", "q", "--json"])).stdout)
        expect((yield* millrace(["queue", "ack", "q", front.id])).code).toBe(0)
        ballast.remove()
        yield* readyz.pipe(
          Effect.repeat({ until: (text) => text === "READY\n", schedule: Schedule.spaced("50 millis") }),
        )
        expect((yield* millrace(["publish", "t", "again"])).code).toBe(0)
        expect((yield* Effect.promise(() => node.command.stop())).code).toBe(0)
      }).pipe(Effect.scoped),
    120_000,
  )
})
