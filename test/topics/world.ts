/**
 * The world that the ordering laws are run in here: topics with so little room that everything happens all the time
 * (pages of three messages, feeds of four batches), messages of another node, and a look at the feeds after each step.
 */
import { Layer } from "effect"
import type { LogStore } from "../../src/storage/LogStore.ts"
import type { StoreServices } from "../../src/storage/Stores.ts"
import type { World } from "../../src/testing/run.ts"
import { defaultTopicsSettings, layerOver, TopicsSettings } from "../../src/topics/index.ts"
import { JournalWriter } from "../../src/topics/internal/JournalWriter.ts"
import { LiveFeed } from "../../src/topics/internal/LiveFeed.ts"
import * as sharedPages from "../../src/topics/internal/sharedPages.ts"

export const tightSettings: TopicsSettings = {
  ...defaultTopicsSettings,
  feedBatchesMax: 4,
  feedBytesMax: 3000,
  pageMessagesMax: 3,
}

/** I7: what feeds hold for subscribers that are behind never exceeds their budget. */
const feedsWithinBudget = LiveFeed.useSync((feed) => {
  const heldBytes = feed.heldBytes()
  if (heldBytes < 0 || heldBytes > tightSettings.feedBytesMax) throw new Error(`the feeds hold ${heldBytes} bytes`)
})

export const worldOver = <E>(
  store: Layer.Layer<StoreServices, E>,
  feed: Layer.Layer<LiveFeed, Layer.Error<typeof LiveFeed.layer>, LogStore> = LiveFeed.layer,
): World<E | Layer.Error<typeof LiveFeed.layer>, JournalWriter | LiveFeed> => ({
  layer: layerOver.pipe(
    Layer.provideMerge(JournalWriter.layer),
    Layer.provideMerge(feed),
    Layer.provide(sharedPages.layer),
    Layer.provide(store),
    Layer.provide(Layer.succeed(TopicsSettings, tightSettings)),
  ),
  reopens: true,
  replicate: (log, messages) => JournalWriter.use((writer) => writer.accept(log, messages)),
  probe: feedsWithinBudget,
  patienceMillis: 2000,
})

/** The same on a store that several nodes share, each over a store of its own. */
export const worldOfNodes = <E>(
  [first, ...others]: readonly [Layer.Layer<StoreServices, E>, ...ReadonlyArray<Layer.Layer<StoreServices, E>>],
  feed?: Parameters<typeof worldOver>[1],
): ReturnType<typeof worldOver<E>> => ({
  ...worldOver(first, feed),
  others: others.map((store) => worldOver(store, feed).layer),
})
