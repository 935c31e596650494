/** Lies over `millrace.v1`: what a peer can say that is not so, and what is to be said of it. */
import * as Sync from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { type Answer, type Asked, bytesOf, type Liar, type Lies, type Page, pageOf } from "./Liar.ts"
import type { Lie } from "./msgbusLies.ts"

const response = (page: Page): Uint8Array => bytesOf(Sync.SyncServiceFetchResponseSchema, { page })

/** Gives true messages in a page that is changed. */
const paging = (change: (page: Page) => Page): Lies => ({
  SyncFetch: (liar, answer, asked) => {
    answer.send(response(change(pageOf(liar.messages(asked)))))
    answer.end()
  },
})

const fetching = (fetch: (liar: Liar, answer: Answer, asked: Asked) => void): Lies => ({ SyncFetch: fetch })

const garbage = Buffer.from("ffffffffffffffffffffff0a0b0c", "hex")

const node = ({ id }: Liar) => ({ tenant: id.tenant, line: id.line, device: id.device })

/** Some of an endless number of logs. */
const manyHeads = (liar: Liar, number: number, count: number) => ({
  origins: [node(liar)],
  heads: Array.from({ length: count }, (_, i) => ({ origin: 0, topic: `${number}/${i}`, offset: 1n })),
})

const malformed = /cannot be taken/

const ofPages: ReadonlyArray<Lie> = [
  { what: "begins at another offset", lies: paging((page) => ({ ...page, first: 7n })), says: /where \d was due/ },
  ...[0n, 2n ** 64n - 1n].map((first) => ({
    what: `begins at the offset ${first}`,
    lies: paging((page) => ({ ...page, first })),
    says: /was due|cannot be taken/,
  })),
  {
    what: "gives other content for what is known",
    lies: paging((page) => ({ ...page, payloads: Buffer.alloc(page.payloads!.byteLength, 0x78) })),
    says: /stored with other content/,
  },
  {
    what: "gives no ids",
    lies: paging((page) => ({ ...page, ids: "", idLengths: [0] })),
    says: /an id or a time|cannot be taken/,
  },
  {
    what: "says that there are 4 billion messages",
    lies: paging(({ first = 1n }) => ({ first, count: 2 ** 32 - 1 })),
    says: malformed,
  },
  { what: "gives ids of other lengths", lies: paging((page) => ({ ...page, idLengths: [1, 2] })), says: malformed },
  {
    what: "gives payloads that end too early",
    lies: paging((page) => ({ ...page, payloadLengths: page.payloadLengths!.map((length) => length + 1) })),
    says: malformed,
  },
  { what: "gives too few times", lies: paging((page) => ({ ...page, createdAtMs: [1, 2] })), says: malformed },
  ...[Number.NaN, -1, 0.5].map((time) => ({
    what: `gives the time ${time}`,
    lies: paging((page) => ({ ...page, createdAtMs: [time] })),
    says: /an id or a time|cannot be taken|other content/,
  })),
  {
    what: "gives headers of a message that is not there",
    lies: paging((page) => ({ ...page, headers: [{ index: 2 ** 31, headers: { a: "b" } }] })),
    says: malformed,
  },
  {
    what: "deletes a message that is not there",
    lies: paging((page) => ({ ...page, deleted: [2 ** 31] })),
    says: malformed,
  },
  {
    what: "gives nothing",
    lies: fetching((_, answer) => answer.end()),
    says: /gives nothing from 5 on/,
  },
  {
    what: "gives an empty page",
    lies: fetching((_, answer) => (answer.send(response({})), answer.end())),
    says: malformed,
  },
  {
    what: "gives empty pages without end",
    isFlood: true,
    lies: fetching((_, answer) => answer.pour(() => response({}))),
    says: /cannot be taken|has not been heard of|was lost/,
  },
  {
    what: "gives pages without end",
    isFlood: true,
    lies: fetching((liar, answer, { from, topic }) =>
      answer.pour((number) => {
        const messages = Array.from({ length: 50 }, (_, i) => liar.message(topic, from + number * 50 + i))
        return response(pageOf(messages.map((message) => ({ ...message, payload: Buffer.alloc(2000) }))))
      }),
    ),
    says: /were asked for/,
  },
  {
    what: "gives a page larger than any answer",
    isFlood: true,
    lies: fetching((liar, answer, { from, topic }) => {
      answer.send(response(pageOf([{ ...liar.message(topic, from), payload: Buffer.alloc(17 * 1024 * 1024) }])))
      answer.end()
    }),
    says: /larger than max/,
  },
  {
    what: "gives bytes that are no page",
    lies: fetching((_, answer) => (answer.send(garbage), answer.end())),
    says: /pars|premature|wire type|invalid/i,
  },
  {
    what: "breaks the connection in the middle",
    lies: fetching((_, answer) => {
      answer.sendBytes(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]))
      setImmediate(() => answer.reset())
    }),
    says: /no node answers|the connection .* was lost/,
  },
]

const ofPeer: ReadonlyArray<Omit<Lie, "ofPeer">> = [
  {
    what: "is another node",
    lies: {
      Identify: (_, answer) => {
        const other = { tenant: "acme", line: "press", device: "somebody else" }
        answer.send(bytesOf(Sync.IdentifyResponseSchema, { node: other }))
        answer.end()
      },
    },
    says: /should be/,
  },
  {
    what: "lists logs without end",
    isFlood: true,
    lies: {
      Heads: (liar, answer) =>
        answer.pour((number) => bytesOf(Sync.HeadsResponseSchema, { heads: manyHeads(liar, number, 1000) })),
    },
    says: /more than 250,000 logs/,
  },
  {
    what: "lists nothing without end",
    isFlood: true,
    lies: { Heads: (_, answer) => answer.pour(() => bytesOf(Sync.HeadsResponseSchema, { heads: {} })) },
    says: malformed,
  },
  {
    what: "lists a log without an origin",
    lies: {
      Heads: (_, answer) => {
        answer.send(bytesOf(Sync.HeadsResponseSchema, { heads: { heads: [{ origin: 9, topic: "a", offset: 1n }] } }))
        answer.end()
      },
    },
    says: malformed,
  },
  {
    what: "lists bytes that are no list",
    lies: { Heads: (_, answer) => (answer.send(garbage), answer.end()) },
    says: /pars|premature|wire type|invalid/i,
  },
  { what: "falls silent", lies: { WatchHeads: () => {}, Heads: () => {} }, says: /not been heard of|in time/ },
]

/** What it tells by itself is wrong: what it has is taken nevertheless. */
const ofMoves: ReadonlyArray<Lie> = [
  {
    what: "tells of moves of logs that it does not have",
    isFlood: true,
    ofOthers: true,
    lies: {
      WatchHeads: (liar, answer) => {
        for (let i = 0; i < 20; i++)
          answer.send(bytesOf(Sync.WatchHeadsResponseSchema, { heads: manyHeads(liar, i, 500) }))
      },
    },
  },
  {
    what: "tells of moves in bytes that are no message",
    ofOthers: true,
    lies: { WatchHeads: (_, answer) => void answer.send(garbage) },
  },
  { what: "stops telling of moves", ofOthers: true, lies: { WatchHeads: (_, answer) => answer.end() } },
]

export const syncLies: ReadonlyArray<Lie> = [...ofPages, ...ofPeer.map((lie) => ({ ...lie, ofPeer: true })), ...ofMoves]
