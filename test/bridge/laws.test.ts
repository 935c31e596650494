/**
 * The laws of topics, cursors and queues, for who has them through `.bus`. `LAW_RUNS` sets how many programs each test
 * runs.
 */
import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Publications } from "../../src/bridge/internal/Publications.ts"
import { serveBus } from "../../src/bridge/server/bus.ts"
import * as Bridge from "../../src/bridge/index.ts"
import { connectWith, RoutingCore } from "../../src/exchange/index.ts"
import * as Queues from "../../src/queues/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import { type CursorWorld, namedCursors } from "../../src/testing/cursorLaws.ts"
import * as Laws from "../../src/testing/laws.ts"
import * as QueueLaws from "../../src/testing/queueLaws.ts"
import { Journal } from "../../src/topics/index.ts"
import { inProcess } from "../topics/cursorWorld.ts"
import { layerThroughBus } from "./BusNode.ts"

const runs = Number(process.env["LAW_RUNS"] ?? 100)

/** A node's cursors through `.bus`. */
const cursorsThroughBus = (stores: Layer.Layer<StoreServices, unknown>): CursorWorld => ({
  open: Effect.gen(function* () {
    const node = yield* inProcess(stores).open
    const core = new RoutingCore()
    const others = yield* Layer.build(Layer.fresh(Layer.provide(Queues.layer, Memory.layer())))
    yield* serveBus({
      core,
      journal: Journal.of({
        publishAll: (drafts) => node.topics.publishAll(drafts),
        deposit: () => {},
        follow: () => Effect.never,
      }),
      publications: new Publications(() => Number.POSITIVE_INFINITY),
      topics: node.topics,
      queues: Context.get(others, Queues.Queues),
    })
    const rpc = yield* Rpc.make(yield* Effect.orDie(connectWith(core, "app", false)))
    return { ...node, topics: yield* Bridge.makeTopics(rpc) }
  }),
})

describe("through .bus", () => {
  it.live(
    "topics keep the laws (I2, I3, I4, I7, I8)",
    () => {
      const disk = Memory.makeDisk()
      return Laws.ordering({ layer: layerThroughBus({ disk }), reopens: true }, { runs })
    },
    120_000,
  )

  it.live(
    "named cursors keep their laws",
    () =>
      namedCursors(() => cursorsThroughBus(Memory.layer({ disk: Memory.makeDisk() })), { runs: Math.ceil(runs / 4) }),
    120_000,
  )

  it.live(
    "queues keep the laws (I6)",
    () => {
      const world = () => ({ layer: layerThroughBus({ disk: Memory.makeDisk() }), reopens: true })
      return QueueLaws.fifo(world, { runs })
    },
    120_000,
  )
})
