/**
 * The laws of both planes together: what live clients get of durable topics, and what becomes of what they publish there.
 * `LAW_RUNS` sets how many programs each test runs.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Latch, Layer, References, Stream } from "effect"
import * as fc from "fast-check"
import * as Bridge from "../../src/bridge/index.ts"
import { StorageFailed } from "../../src/domain/errors.ts"
import * as Exchange from "../../src/exchange/index.ts"
import * as Queues from "../../src/queues/index.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { check, format } from "../../src/testing/history.ts"
import * as Topics from "../../src/topics/index.ts"
import { type Bug, plantIn } from "../support/plantedSource.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { makeRandom } from "../support/random.ts"
import { jittered } from "../topics/jitter.ts"
import { nodeNamed, threeNodes } from "../topics/sharedMemory.ts"
import { tightSettings } from "../topics/world.ts"
import { durable, type Program, programs } from "./planes/program.ts"
import { run } from "./planes/run.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 300)

/** The parts of a node, as they are or with a bug. */
interface Parts {
  readonly Bridge: Pick<typeof Bridge, "layer">
  readonly Exchange: Pick<typeof Exchange, "layer" | "Router">
  readonly Topics: Pick<typeof Topics, "layer">
}
const right: Parts = { Bridge, Exchange, Topics }

/** A store that sometimes cannot write, and then has changed nothing; and whose pages take long. */
const failing = (stores: Layer.Layer<StoreServices, unknown>, seed: number): Layer.Layer<StoreServices, unknown> =>
  Layer.effect(
    LogStore,
    LogStore.useSync((store) => {
      const random = makeRandom(seed)
      const failure = new StorageFailed({ operation: "append", message: "not now" })
      const yields = () => Array.from({ length: Math.floor(random() * 30) }, () => Effect.yieldNow)
      return LogStore.of({
        ...store,
        readJournal: (after, filter, limit) =>
          Effect.andThen(
            Effect.suspend(() => Effect.all(yields(), { discard: true })),
            store.readJournal(after, filter, limit),
          ),
        append: (requests) => Effect.suspend(() => (random() < 0.1 ? failure : store.append(requests))),
      })
    }),
  ).pipe(Layer.provideMerge(stores))

const nodeOver = (stores: Layer.Layer<StoreServices, unknown>, { Bridge, Exchange, Topics: topics }: Parts) =>
  Layer.mergeAll(Bridge.layer({ durable: [durable] }), Exchange.layer).pipe(
    Layer.provideMerge(Exchange.Router.layer({ unsettledBytesMax: 3000 })),
    Layer.provideMerge(
      Layer.mergeAll(topics.layer, Queues.layer).pipe(
        Layer.provide(stores),
        Layer.provide(Layer.succeed(Topics.TopicsSettings, tightSettings)),
      ),
    ),
  )

let seed = 0

const worlds = {
  1: (parts: Parts) => [nodeOver(failing(jittered(Memory.layer(), ++seed), seed), parts)],
  3: (parts: Parts) => threeNodes(++seed).map((store, i) => nodeOver(failing(store, seed + i), parts)),
}

const checkPlanes = async (
  nodes: keyof typeof worlds,
  parts: Parts,
  options: fc.Parameters<[Program]>,
  patience = 10_000,
  world: (parts: Parts) => ReadonlyArray<ReturnType<typeof nodeOver>> = worlds[nodes],
) =>
  await fc.assert(
    fc.asyncProperty(programs(nodes), async (program) => {
      const exit = await Effect.runPromiseExit(
        run(program, world(parts), patience).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      )
      if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
      const { history, problems } = exit.value
      const verdict = check(history)
      if (!verdict.isClean) throw new Error(format(verdict))
      if (problems.length > 0) throw new Error(problems.join("\n"))
    }),
    options,
  )

describe("both planes together keep the laws (I3, I4, I8)", () => {
  it("in one node", () => checkPlanes(1, right, { numRuns: runs, endOnFailure: true }), 120_000)
  it(
    "in several nodes on one store",
    () => checkPlanes(3, right, { numRuns: Math.ceil(runs / 3), endOnFailure: true }),
    120_000,
  )
})

describe.skipIf(skipsPostgres)("both planes together keep the laws on a real server (I3, I4, I8)", () => {
  const server = sharedServer()
  let stores = 0

  it("in several nodes on one PostgreSQL", () => {
    const world = (parts: Parts) => {
      // A new one for each program: what is read in the end is all there is.
      const url = server().url(`planes${++stores}`)
      return ["one", "two", "three"].map((device) =>
        nodeOver(failing(Postgres.layer({ url, node: nodeNamed(device) }), ++seed), parts),
      )
    }
    return checkPlanes(3, right, { numRuns: Math.ceil(runs / 60), endOnFailure: true }, 20_000, world)
  }, 120_000)
})

const tap = "topics/internal/JournalTap.ts"
const first = "bridge/internal/storeFirst.ts"

const bugs: Readonly<Record<string, Bug & { readonly nodes: keyof typeof worlds }>> = {
  "an acknowledgement before the commit": {
    nodes: 1,
    file: first,
    edit: ["    isReturned = true\n", '    isReturned = true\n    queueMicrotask(() => settle("ok"))\n'],
  },
  "a delivery before the commit": {
    nodes: 1,
    file: first,
    edit: [
      "    let isReturned = false\n",
      "    core.deliver(from.name, topic, payload, isLent, isRealtime)\n    let isReturned = false\n",
    ],
  },
  "live publications that are delivered and not stored": {
    nodes: 1,
    file: first,
    edit: ["core.storeFirst = { isDurable: makeIsDurable(filters), publish }", "void publish"],
  },
  "a sender that is forgotten": {
    nodes: 1,
    file: "bridge/internal/Publications.ts",
    edit: ["named: (name) => this.#publishers.set((id = name), publisher)", "named: (name) => void (id = name)"],
  },
  "what was not taken is taken for given": {
    nodes: 1,
    file: tap,
    edit: ["this.#position = messages[taken - 1]!.position", "this.#position = end"],
  },
  "own commits that are given ahead of what is still to be read": {
    nodes: 3,
    file: tap,
    edit: ["if (!isBehind) this.#give", "this.#give"],
  },
}

/** Runs something with the parts that have a bug. */
const withBug = async (bug: Bug, use: (parts: Parts) => Promise<void>): Promise<void> => {
  const { dispose, load } = plantIn(
    ["domain", "access", "storage", "exchange", "topics", "queues", "rpc", "bridge"],
    bug,
  )
  try {
    await use({
      Bridge: (await load("bridge/index.ts")) as Parts["Bridge"],
      Exchange: (await load("exchange/index.ts")) as Parts["Exchange"],
      Topics: (await load("topics/index.ts")) as Parts["Topics"],
    })
  } finally {
    dispose()
  }
}

describe("the laws of both planes find", () => {
  it.each(Object.entries(bugs))(
    "%s",
    (_, { nodes, ...bug }) =>
      withBug(bug, async (planted) => {
        const checking = checkPlanes(nodes, planted, { numRuns: 3000, endOnFailure: true }, 300)
        await expect(checking).rejects.toThrow("Property failed")
      }),
    120_000,
  )
})

/** What a client gets first of a topic that it subscribes to while a page is being read for others. */
const firstWhileReading = (parts: Parts): Promise<string> =>
  Effect.gen(function* () {
    const gate = Latch.makeUnsafe(false)
    const asked = Latch.makeUnsafe(false)
    const stores = Layer.effect(
      LogStore,
      LogStore.useSync((store) =>
        LogStore.of({
          ...store,
          readJournal: (after, filter, limit) =>
            Effect.andThen(
              Effect.suspend(() => {
                asked.openUnsafe()
                return gate.await
              }),
              store.readJournal(after, filter, limit),
            ),
        }),
      ),
    ).pipe(Layer.provideMerge(Memory.layer()))
    const services = yield* Layer.build(nodeOver(stores, parts))
    const { publishAll, publish } = Context.get(services, Topics.Topics)
    const { connect } = Context.get(services, Exchange.Exchange)
    const slow = yield* connect("slow", { inboxFramesMax: 4 })
    yield* slow.subscribe("a")
    yield* publishAll(Array.from({ length: 4 }, (_, i) => ({ topic: "a", payload: `${i}` })))
    yield* Effect.forkScoped(Stream.runDrain(slow.inbox))
    yield* asked.await
    const late = yield* connect("late")
    yield* late.subscribe("b")
    yield* publish("b", "1")
    gate.openUnsafe()
    yield* publish("b", "2")
    const [first] = yield* late.inbox.pipe(Stream.take(1), Stream.runCollect)
    return Buffer.from(first!.payload).toString()
  }).pipe(Effect.scoped, Effect.runPromise)

describe("who subscribes while a page is being read for others", () => {
  it("gets all that comes from then on", async () => expect(await firstWhileReading(right)).toBe("1"))

  it("would miss some if that page were taken for all there is", () =>
    withBug({ file: tap, edit: ["changes === this.#changes || !isSelective", "true"] }, async (planted) =>
      expect(await firstWhileReading(planted)).toBe("2"),
    ))
})
