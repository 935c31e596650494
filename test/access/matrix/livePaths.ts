/** Ways to use the live plane, as a client that is connected to it somewhere. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ExchangeClient } from "../../../src/exchange/index.ts"
import type { Path } from "./Cell.ts"
import { outcomeOf } from "./durablePaths.ts"
import * as model from "./model.ts"

const topics = [...model.topics, "$d/a", ".broker/info"]
const filters = [...topics, ...model.wildcards]
const receivers = [...model.topics, "a/b%%s", "b%%s", ".bus", ".broker"]

/** A client as one principal has it, and one that may do everything. */
export interface LivePlace {
  readonly client: ExchangeClient
  readonly prober: ExchangeClient
}

const text = new TextDecoder()

/** Topics of all publications that have come for the client, the one that is published now included. */
const whatComes = ({ client, prober }: LivePlace, topic: string, mark: string) =>
  Effect.gen(function* () {
    const done = `${mark} is over`
    yield* prober.publish(topic, "probe")
    yield* prober.send(client.name, done)
    const received = yield* client.inbox.pipe(
      Stream.takeUntil(({ kind, payload }) => kind === "message" && text.decode(payload) === done),
      Stream.runCollect,
    )
    return received.flatMap(({ kind, topic }) => (kind === "publication" ? [topic] : []))
  })

/** Nobody has the name, or nobody listens: it has been let through. */
const through = <A>(attempt: Effect.Effect<A, { readonly _tag: string; readonly message: string }>) =>
  outcomeOf(
    Effect.catchIf(
      attempt,
      ({ _tag }) => _tag === "NotRegistered",
      () => Effect.void,
    ),
  )

export const livePaths: ReadonlyArray<Path<LivePlace>> = [
  {
    name: "send",
    verb: "send",
    objects: receivers,
    attempt: ({ client }, { mark, object }) => through(client.send(model.nameOf(object), mark)),
  },
  {
    name: "sendAll",
    verb: "send",
    objects: receivers,
    attempt: ({ client }, { mark, object }) => through(client.sendAll(model.nameOf(object), [mark, mark])),
  },
  {
    name: "broadcast",
    verb: "broadcast",
    objects: [...model.topics, ...model.wildcards],
    attempt: ({ client }, { mark, object }) => through(client.broadcast(model.maskOf(object), mark)),
  },
  {
    name: "publish",
    verb: "publish",
    objects: topics,
    attempt: ({ client }, { mark, object }) => through(client.publish(object, mark)),
  },
  {
    name: "publishAll",
    verb: "publish",
    objects: topics,
    attempt: ({ client }, { mark, object }) => through(client.publishAll(object, [mark, mark])),
  },
  {
    name: "publish for one receiver",
    verb: "publish",
    objects: topics,
    attempt: ({ client }, { mark, object }) => through(client.publish(object, mark, { receiver: "listener" })),
  },
  {
    name: "subscribe",
    verb: "subscribe",
    objects: filters,
    attempt: ({ client }, { object }) => through(client.subscribe(object)),
  },
  {
    // With all subscriptions that the client was granted.
    name: "what comes",
    verb: "subscribe",
    objects: topics.filter((topic) => !topic.startsWith(".broker")),
    isFiltered: true,
    attempt: (place, { mark, object }) => outcomeOf(whatComes(place, object, mark), (seen) => seen),
  },
]
