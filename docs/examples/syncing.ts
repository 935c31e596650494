// Two nodes, each with a store of its own: what is published at home is on the laptop, which reads it from its own file.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { NodeId, Replication, Topics } from "millrace"
import * as Grpc from "millrace/grpc"
import * as Sqlite from "millrace/sqlite"

const home: NodeId.NodeId = { tenant: "family", line: "notes", device: "home" }
const laptop: NodeId.NodeId = { tenant: "family", line: "notes", device: "laptop" }

// #region layers
/** The node at home: its topics, served to others. */
const Home = Grpc.layerServer({ host: "127.0.0.1", port: 0 }).pipe(
  Layer.provideMerge(Topics.layer),
  Layer.provide(Sqlite.layer({ path: "home.db", node: home })),
)

/** The node on the laptop: its topics, which get all that the one at home has. */
const Laptop = (url: string) =>
  Layer.unwrap(
    Effect.map(Grpc.makePeer({ url }), (peer) =>
      Replication.Replication.layer([{ peer, settings: { identity: home } }]),
    ),
  ).pipe(
    Layer.provideMerge(Layer.fresh(Topics.layer)),
    Layer.provide(Sqlite.layer({ path: "laptop.db", node: laptop })),
  )
// #endregion

/** Prints notes as they come to the topics that it is provided with. */
const readNotes = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.subscribe("notes", { from: "start" }).pipe(
    Stream.take(2),
    Stream.runForEach(({ origin, payload }) => Console.log(`from ${origin.device}: ${Buffer.from(payload)}`)),
  )
  const replication = yield* Replication.Replication
  const [peer] = yield* replication.peers
  yield* Console.log(`in touch with ${peer?.identity?.device}, on this node ${(yield* topics.info).node.device}`)
})

const program = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  const { url } = yield* Grpc.GrpcServer
  yield* topics.publish("notes", "buy milk")
  yield* topics.publish("notes", "water the roses")
  yield* Effect.provide(readNotes, Laptop(url))
})

program.pipe(Effect.provide(Home), NodeRuntime.runMain)
