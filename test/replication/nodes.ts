/** Nodes in memory, and peers that are such nodes. */
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import type { StorageFailed } from "../../src/domain/errors.ts"
import * as NodeId from "../../src/domain/NodeId.ts"
import type { LogId } from "../../src/domain/LogId.ts"
import { PeerBook } from "../../src/replication/internal/PeerBook.ts"
import { PeerSync } from "../../src/replication/internal/PeerSync.ts"
import {
  defaultPeerSettings,
  type Peer,
  type PeerLink,
  type PeerMessage,
  type PeerMisbehaved,
  type PeerSettings,
  PeerUnreachable,
  Replication,
  type ReplicationOptions,
} from "../../src/replication/index.ts"
import { RecordStore } from "../../src/storage/RecordStore.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Topics from "../../src/topics/index.ts"

export interface TestNode {
  readonly id: NodeId.NodeId
  readonly topics: Topics.Topics["Service"]
  readonly replica: Topics.Replica["Service"]
  readonly records: RecordStore["Service"]
  readonly journal: Topics.Journal["Service"]
}

export const idOf = (device: string): NodeId.NodeId => ({ tenant: "t", line: "l", device })

export const makeNode = (device: string) =>
  Effect.gen(function* () {
    const id = idOf(device)
    const services = yield* Layer.build(Layer.fresh(Layer.provideMerge(Topics.layer, Memory.layer({ node: id }))))
    return {
      id,
      topics: Context.get(services, Topics.Topics),
      replica: Context.get(services, Topics.Replica),
      records: Context.get(services, RecordStore),
      journal: Context.get(services, Topics.Journal),
    } satisfies TestNode
  })

/** Replication of a node with its peers, until the scope closes. */
export const replicating = (
  { records, replica }: TestNode,
  links: ReadonlyArray<PeerLink>,
  options?: ReplicationOptions,
): Effect.Effect<Replication["Service"], StorageFailed, Scope.Scope> =>
  Layer.build(
    Replication.layer(links, options).pipe(
      Layer.provide(Layer.mergeAll(Layer.succeed(Topics.Replica, replica), Layer.succeed(RecordStore, records))),
    ),
  ).pipe(Effect.map((services) => Context.get(services, Replication)))

const unreachable = Effect.mapError(({ message }: { readonly message: string }) => new PeerUnreachable({ message }))

/** A peer that gives messages one by one, so that they can be looked at, and changed. */
export interface PlainPeer extends Peer {
  readonly fetch: (
    ...asked: Parameters<Peer["fetch"]>
  ) => Effect.Effect<ReadonlyArray<PeerMessage>, PeerUnreachable | PeerMisbehaved>
}

/** A node as its peers see it. */
export const asPeer = ({ id, topics }: TestNode): PlainPeer => ({
  name: NodeId.format(id),
  identity: Effect.succeed(id),
  heads: unreachable(topics.heads),
  fetch: ({ topic, origin }: LogId, from, limit) => unreachable(topics.fetch(topic, { origin, from, limit })),
  moved: Stream.never,
})

/** The same of a peer that gives blocks, as it has them. */
export const asBlockPeer = (node: TestNode): Peer => ({
  ...asPeer(node),
  fetch: (log, from, limit) =>
    Effect.map(unreachable(node.replica.readBlocks(log, from, limit)), (blocks) => ({ first: from, blocks })),
})

/** One pass of a node over a peer, and what is known of it then. */
export const passOver = (node: TestNode, peer: Peer, settings: Partial<PeerSettings> = {}) => {
  const book = new PeerBook(peer.name)
  const sync = new PeerSync(peer, node.replica, { ...defaultPeerSettings, ...settings }, book)
  return { pass: sync.pass, book }
}

/** All that a node has, log by log, without what belongs to its store alone. */
export const contentsOf = ({ topics }: TestNode) =>
  Effect.gen(function* () {
    const heads = yield* topics.heads
    return yield* Effect.forEach(heads, ({ topic, origin, offset }) =>
      Effect.map(topics.fetch(topic, { origin, limit: 10_000 }), (messages) => ({
        log: `${topic}@${NodeId.format(origin)}`,
        head: offset,
        messages: messages.map(({ id, createdAt, deleted, headers, payload, offset: at }) => ({
          at,
          id,
          createdAt,
          deleted,
          headers: { ...headers },
          payload: new TextDecoder().decode(payload),
        })),
      })),
    )
  })
