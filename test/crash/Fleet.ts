/**
 * Daemons that are each other's peers, with a client of each, and the question whether all of them have the same: equal
 * heads, and equal content, log by log.
 */
import { createHash } from "node:crypto"
import { Context, Effect, Layer, Schedule, type Scope } from "effect"
import * as LogId from "../../src/domain/LogId.ts"
import type { Message } from "../../src/domain/Message.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { Topics } from "../../src/topics/Topics.ts"
import * as Daemon from "./Daemon.ts"

/** One daemon of several: the process, who it is, and a client of it. */
export interface Member {
  readonly daemon: Daemon.Daemon
  readonly id: NodeId.NodeId
  readonly storage: MemberStorage
  readonly topics: Topics["Service"]
}

/** Where a member keeps things: in files of its own, or at a URL. */
export type MemberStorage = Daemon.Storage | { readonly postgres: string }

export interface FleetOptions {
  readonly storages: ReadonlyArray<MemberStorage>
  /** Whom a member has as peers, by their places; by default all others. */
  readonly peersOf?: ((member: number) => ReadonlyArray<number>) | undefined
  /** Where a member finds a peer; by default where that listens. */
  readonly via?: ((member: number, peer: number, port: number) => Effect.Effect<number, never, Scope.Scope>) | undefined
  readonly script?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** How often it is looked whether all have the same, and how long that may take by default, in milliseconds. */
const lookEveryMillis = 100
const patienceMillisMax = 120_000

/** Shorter than usual: a peer that is back after a kill is asked the sooner. */
const syncInterval = "100ms"

/** The largest page that a node gives. */
const pageMessages = 10_000

/** A client with a connection of its own. */
export const connect = (url: string): Effect.Effect<Topics["Service"], never, Scope.Scope> =>
  Layer.build(Layer.fresh(layerTopics({ url }))).pipe(
    Effect.map((services) => Context.get(services, Topics)),
    Effect.orDie,
  )

/** Daemons that know each other, none of them started. Gone with the scope. */
export const make = ({
  storages,
  peersOf = (member) => storages.map((_, i) => i).filter((i) => i !== member),
  via = (_member, _peer, port) => Effect.succeed(port),
  script,
  env,
}: FleetOptions): Effect.Effect<ReadonlyArray<Member>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ports = yield* Effect.forEach(storages, () => Daemon.freePort)
    return yield* Effect.forEach(storages, (storage, i) =>
      Effect.gen(function* () {
        const id: NodeId.NodeId = { tenant: "acme", line: "press", device: `node-${i + 1}` }
        const peers = yield* Effect.forEach(peersOf(i), (peer) =>
          Effect.map(via(i, peer, ports[peer]!), (port) => `http://127.0.0.1:${port}=acme/press/node-${peer + 1}`),
        )
        const inFiles = typeof storage === "string"
        const daemon = yield* Daemon.make({
          port: ports[i]!,
          storage: inFiles ? storage : undefined,
          script,
          env: { ...env, ...(inFiles ? {} : { MILLRACE_STORAGE: storage.postgres }) },
          flags: [
            "--node",
            NodeId.format(id),
            "--busrt",
            "off",
            "--sync-interval",
            syncInterval,
            ...(storage === "lmdb" ? ["--storage", "lmdb:"] : []),
            ...peers.flatMap((peer) => ["--peer", peer]),
          ],
        })
        return { daemon, id, storage, topics: yield* connect(daemon.url) }
      }),
    )
  })

type Topicful = Pick<Member, "topics">

/** All heads of a member, as one text. */
const headsOf = ({ topics }: Topicful): Effect.Effect<string, unknown> =>
  Effect.map(topics.heads, (heads) =>
    heads
      .map((head) => `${LogId.format(head)} ${head.offset}`)
      .toSorted()
      .join("\n"),
  )

/** Waits until all members, which must be up, list the same heads. */
export const converged = (
  members: ReadonlyArray<Topicful>,
  patienceMillis: number = patienceMillisMax,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const [first, ...others] = yield* Effect.forEach(members, headsOf, { concurrency: "unbounded" })
    if (others.some((heads) => heads !== first)) {
      return yield* Effect.fail(new Error(`the heads differ: ${[first, ...others].join("\n\n")}`))
    }
  }).pipe(
    Effect.retry({ schedule: Schedule.spaced(lookEveryMillis), times: patienceMillis / lookEveryMillis }),
    Effect.orDie,
  )

/** What a member has of each log: its head, how many of its messages are deleted, and the SHA-256 of all that they are. */
export interface LogContent {
  readonly head: number
  readonly deleted: number
  readonly hash: string
}

/** Reads all that a member has, page by page, and gives each message to whoever wants to look at it. */
export const contentOf = (
  { topics }: Topicful,
  look: (message: Message) => void = () => {},
): Effect.Effect<Readonly<Record<string, LogContent>>, unknown> =>
  Effect.gen(function* () {
    const contents: Record<string, LogContent> = {}
    for (const { topic, origin, offset: head } of yield* topics.heads) {
      const hash = createHash("sha256")
      let deleted = 0
      for (let from = 1; from <= head;) {
        const page = yield* topics.fetch(topic, { origin, from, limit: pageMessages })
        if (page.length === 0) break
        for (const message of page) {
          const { id, createdAt, headers, payload } = message
          hash.update(`${message.offset}\0${id}\0${createdAt}\0${message.deleted}\0${payload.byteLength}\0`)
          hash.update(JSON.stringify(Object.entries(headers).toSorted()))
          hash.update(payload)
          if (message.deleted) deleted++
          look(message)
        }
        from += page.length
      }
      contents[LogId.format({ topic, origin })] = { head, deleted, hash: hash.digest("hex") }
    }
    return contents
  })
