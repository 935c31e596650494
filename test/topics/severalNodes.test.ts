/**
 * The ordering laws for several nodes on one store, and the bugs that they must find. `LAW_RUNS` sets how many programs
 * each test runs.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { LogStore } from "../../src/storage/LogStore.ts"
import * as Laws from "../../src/testing/laws.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import { TopicsSettings } from "../../src/topics/index.ts"
import { follow, type Following } from "../../src/topics/internal/JournalFollower.ts"
import { type Feeds, LiveFeed, makeFeeds } from "../../src/topics/internal/LiveFeed.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { nodeNamed, threeNodes, unreliable } from "./sharedMemory.ts"
import { worldOfNodes } from "./world.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 1000)

let seed = 0

describe("several nodes on one store keep the laws (I2, I3, I4, I7, I8)", () => {
  it.live(
    "in memory, with hints that are late, out of order or lost",
    () => Laws.ordering(() => worldOfNodes(threeNodes(++seed)), { runs: runs / 2, nodes: 3 }),
    120_000,
  )
})

describe.skipIf(skipsPostgres)("several nodes on one PostgreSQL keep the laws (I2, I3, I4, I7, I8)", () => {
  const server = sharedServer()

  it.live(
    "each over connections of its own",
    () => {
      const store = (device: string) => Postgres.layer({ url: server().url("laws"), node: nodeNamed(device) })
      return Laws.ordering(worldOfNodes([store("one"), store("two"), store("three")]), { runs: runs / 50, nodes: 3 })
    },
    120_000,
  )
})

/** Feeds that other nodes' commits come to in another way. */
const feedsWith = (
  plant: (
    feeds: Feeds,
    following: (feeds: Feeds) => Effect.Effect<Following, never, Scope.Scope>,
  ) => Effect.Effect<Following, never, Scope.Scope>,
): typeof LiveFeed.layer =>
  Layer.effect(
    LiveFeed,
    Effect.gen(function* () {
      const store = yield* LogStore
      const settings = yield* TopicsSettings
      const feeds = yield* makeFeeds(settings, yield* store.end)
      return { ...feeds, ...(yield* plant(feeds, (given) => follow(store, settings, given))) }
    }),
  )

// Some take a thousand programs.
describe("the laws find", { timeout: 60_000 }, () => {
  const isFound = (feed?: typeof LiveFeed.layer, stores = () => threeNodes(++seed)) =>
    Effect.gen(function* () {
      const world = () => ({ ...worldOfNodes(stores(), feed), patienceMillis: 500 })
      const broken = yield* Effect.flip(Laws.ordering(world, { runs: 6000, nodes: 3, shrink: false }))
      expect(broken._tag).toBe("LawBroken")
    })

  it.live("nodes that trust hints alone", () => isFound(undefined, () => threeNodes(++seed, unreliable)))

  it.live("own commits that are fed ahead of what others have committed before", () =>
    isFound(
      feedsWith((feeds, following) =>
        Effect.map(following(feeds), (followed) => ({
          ...followed,
          offer: (messages, end) => feeds.offer(messages, end),
        })),
      ),
    ),
  )

  it.live("a node that reads on from its own commit", () =>
    isFound(
      feedsWith((feeds, following) =>
        Effect.map(following(feeds), (followed) => ({
          ...followed,
          offer: (messages, end) => {
            if (messages[0]!.position > feeds.position()) feeds.offer([], messages[0]!.position - 1)
            followed.offer(messages, end)
          },
        })),
      ),
    ),
  )

  it.live("pages that are taken for all there is by those who subscribed while they were read", () =>
    isFound(
      feedsWith((feeds, following) => following({ ...feeds, offer: (messages, end) => feeds.offer(messages, end) })),
    ),
  )
})
