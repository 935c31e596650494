/**
 * Peers under TLS: one that is another node than it should be is asked who it is and nothing else, whatever its
 * certificate, and one whose certificate is wrong is not even asked that.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePeer } from "../../src/protocol/grpc/index.ts"
import type { PeerSettings } from "../../src/replication/index.ts"
import type { TlsDialOptions } from "../../src/transport/tls.ts"
import { idOf, makeNode, replicating, type TestNode } from "../replication/nodes.ts"
import { serve, subscriber, until } from "../replication/served.ts"
import { authority, certificate, makeAuthority } from "../support/certificates.ts"
import { secret } from "./Service.ts"

const stranger = await makeAuthority("a stranger")
const own = await authority.issue({ names: [] })

/** What anybody is told who asks who a node is. */
const open: ReadonlySet<string | symbol> = new Set(["info", "node", "incarnation"])

/** A service that notes which of its operations were asked for. */
const noting = <Service extends object>(service: Service, asked: Set<string>): Service =>
  new Proxy(service, {
    get: (target, name, receiver) => {
      if (!open.has(name)) asked.add(String(name))
      return Reflect.get(target, name, receiver) as unknown
    },
  })

const servedUnderTls = (node: TestNode, asked: Set<string>) =>
  serve(
    {
      ...node,
      topics: noting(node.topics, asked),
      journal: noting(node.journal, asked),
      replica: noting(node.replica, asked),
    },
    { tls: { ...certificate, clientCa: authority.cert } },
  )

const following = (node: TestNode, url: string, tls: TlsDialOptions, settings: Partial<PeerSettings>) =>
  Effect.flatMap(makePeer({ url, tls }), (peer) =>
    replicating(node, [
      { peer, settings: { intervalMillis: 20, retryMillisMax: 20, backoffMillisMax: 20, ...settings } },
    ]),
  )

describe("a peer under TLS", () => {
  it.live("that is another node than it should be gives nothing, whatever its certificate", () =>
    Effect.gen(function* () {
      const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
      yield* x.topics.publish("secret", secret)
      const asked = new Set<string>()
      const url = yield* servedUnderTls(x, asked)
      asked.clear()
      const replication = yield* following(y, url, { ca: authority.cert, ...own }, { identity: idOf("another") })
      const [state] = yield* until(replication.peers, ([peer]) => peer!.failures >= 3)
      expect(state).toMatchObject({ accepted: 0, lastSuccessAt: 0 })
      expect(state!.lastError).toMatch(/t\/l\/x/)
      expect([...asked]).toEqual([])
      expect(yield* y.topics.heads).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live.each([
    ["is signed by somebody else", { ca: stranger.cert, ...own }, /certificate is not signed/],
    ["is for another name", { ca: authority.cert, domain: "b.example.org", ...own }, /certificate is for other names/],
    ["wants to see one, and is shown none", { ca: authority.cert }, /lets in only who shows a certificate/],
  ] as const)("whose certificate %s is not asked anything", ([, tls, why]) =>
    Effect.gen(function* () {
      const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
      yield* x.topics.publish("secret", secret)
      const asked = new Set<string>()
      const url = yield* servedUnderTls(x, asked)
      asked.clear()
      const replication = yield* following(y, url, tls, { identity: idOf("x") })
      const [state] = yield* until(replication.peers, ([peer]) => peer!.failures >= 3)
      expect(state).toMatchObject({ accepted: 0, identity: undefined })
      expect(state!.lastError).toMatch(why)
      expect([...asked]).toEqual([])
      expect(yield* y.topics.heads).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.live("that is who it should be gives all", () =>
    Effect.gen(function* () {
      const [x, y] = yield* Effect.all([makeNode("x"), makeNode("y")])
      const asked = new Set<string>()
      const url = yield* servedUnderTls(x, asked)
      asked.clear()
      const got = yield* subscriber(y, "secret", 1)
      yield* following(y, url, { ca: authority.cert, ...own }, { identity: idOf("x") })
      yield* x.topics.publish("secret", secret)
      expect(yield* got).toEqual([secret])
      expect(asked.size).toBeGreaterThan(0)
    }).pipe(Effect.scoped),
  )
})
