/**
 * The worlds that the laws of named cursors are run in: a node in this process over a store that can lose its power, or
 * the same behind a server and a client, over connections that can be cut.
 */
import { Context, Effect, Layer, Stream } from "effect"
import { StorageFailed } from "../../src/domain/errors.ts"
import { GrpcServer, layerServer, layerTopics } from "../../src/protocol/grpc/index.ts"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import type { CursorWorld, OpenNode } from "../../src/testing/cursorLaws.ts"
import { consumers } from "../../src/topics/consuming.ts"
import { defaultTopicsSettings, type HoldCursor, layer, Topics, TopicsSettings } from "../../src/topics/index.ts"
import * as Proxy from "../support/Proxy.ts"

type Stores = StoreServices
type Topical = Topics["Service"]

export interface WorldOptions {
  /** Stands between the topics and those who use them. */
  readonly decorate?: (topics: Topical) => Topical
  /** Stands between the topics and the cursors' store. */
  readonly plant?: (cursors: CursorStore["Service"]) => CursorStore["Service"]
}

/** Pages and pauses that make everything happen all the time. */
const settings = { ...defaultTopicsSettings, pageMessagesMax: 3, cursorPauseMillis: 3 }

const topicsOver = (stores: Context.Context<Stores>) =>
  Layer.provide(layer, Layer.merge(Layer.succeedContext(stores), Layer.succeed(TopicsSettings, settings)))

/** Stores that can be cut off: from then on every write of cursors fails, and nothing has changed. */
const switchable = (stores: Context.Context<Stores>, plant: NonNullable<WorldOptions["plant"]>) => {
  let isOff = false
  const cursors = plant(Context.get(stores, CursorStore))
  const off = new StorageFailed({ operation: "write", message: "no power" })
  const powered = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E | StorageFailed> =>
    Effect.suspend((): Effect.Effect<A, E | StorageFailed> => (isOff ? Effect.fail(off) : write))
  const switched = Context.add(stores, CursorStore, {
    ...cursors,
    claim: (claim) => powered(cursors.claim(claim)),
    move: (moves) => powered(cursors.move(moves)),
  })
  return { stores: switched, cutPower: Effect.sync(() => void (isOff = true)) }
}

const itself = <A>(same: A): A => same

/** A node in this process over stores that are opened anew each time. */
export const inProcess = (
  stores: Layer.Layer<Stores, unknown>,
  { decorate = itself, plant = itself }: WorldOptions = {},
): CursorWorld => ({
  open: Effect.gen(function* () {
    const opened = yield* Layer.build(Layer.fresh(stores))
    const { cutPower, stores: switched } = switchable(opened, plant)
    const build = Effect.map(Layer.build(Layer.fresh(topicsOver(switched))), (services) =>
      decorate(Context.get(services, Topics)),
    )
    return { topics: yield* build, cutPower, elsewhere: build } satisfies OpenNode
  }),
})

/** One node of several on one store; what happens elsewhere happens at another one. */
export const atNodes = (
  here: Layer.Layer<Stores, unknown>,
  there: Layer.Layer<Stores, unknown>,
  options: WorldOptions = {},
): CursorWorld => {
  const elsewhere = Effect.flatMap(Layer.build(Layer.fresh(there)), (stores) =>
    Effect.map(Layer.build(Layer.fresh(topicsOver(stores))), (services) => Context.get(services, Topics)),
  )
  return { open: Effect.map(inProcess(here, options).open, (node) => ({ ...node, elsewhere })) }
}

/** The same through a client, a proxy and a server. */
export const overGrpc = (stores: Layer.Layer<Stores, unknown>, options: WorldOptions = {}): CursorWorld => ({
  open: Effect.gen(function* () {
    const node = yield* inProcess(stores, options).open
    const server = layerServer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provide(Layer.succeed(Topics, node.topics)))
    const { port } = Context.get(yield* Layer.build(Layer.fresh(server)), GrpcServer)
    const proxy = yield* Proxy.make(port)
    const client = yield* Layer.build(Layer.fresh(layerTopics({ url: proxy.url })))
    return { ...node, topics: Context.get(client, Topics), cut: Effect.sync(proxy.cut) }
  }),
})

/** Planted: the cursor moves when messages are given out, before anybody has handled them. */
export const movedBeforeHandled = (topics: Topical): Topical => {
  const holdCursor: HoldCursor = (name, filter, options) =>
    Effect.map(topics.holdCursor(name, filter, options), (held) => ({
      ...held,
      messages: Stream.mapArray(held.messages, (messages) => {
        const { position } = messages[messages.length - 1]!
        queueMicrotask(() => held.handled(position))
        return messages
      }),
    }))
  return { ...topics, holdCursor, ...consumers(holdCursor) }
}

/** Planted: whoever moves a cursor is taken for its holder. */
export const epochNotChecked = (cursors: CursorStore["Service"]): CursorStore["Service"] => ({
  ...cursors,
  move: (moves) =>
    Effect.flatMap(cursors.cursors, (stored) =>
      cursors.move(
        moves.map((move) => ({ ...move, epoch: stored.find(({ name }) => name === move.name)?.epoch ?? move.epoch })),
      ),
    ),
})
