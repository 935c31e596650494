/** Lies over `millrace.v1`: what a peer can say that is not so, and what is to be said of it. */
import * as Sync from "../../src/protocol/grpc/gen/millrace/v1/sync_pb.ts"
import { makeHeaders } from "../../src/domain/Message.ts"
import { type Answer, type Asked, type Block, blockOf, bytesOf, type Liar, type Lies } from "./Liar.ts"
import type { Lie } from "./msgbusLies.ts"
import { resealed } from "../support/sealed.ts"

const response = (block: Partial<Block>): Uint8Array => bytesOf(Sync.SyncServiceFetchResponseSchema, { block })

const fetching = (fetch: (liar: Liar, answer: Answer, asked: Asked) => void): Lies => ({ SyncFetch: fetch })

/** Gives a block that is changed. */
const giving = (change: (block: Block) => Partial<Block>, content?: Parameters<typeof blockOf>[1]): Lies =>
  fetching((liar, answer, asked) => {
    answer.send(response(change(blockOf(liar.messages(asked), content))))
    answer.end()
  })

/** Gives a block of messages that are changed. */
const saying = (change: NonNullable<Parameters<typeof blockOf>[1]>): Lies => giving((block) => block, change)

/** Gives a block whose bytes are changed, with a checksum that fits. */
const forging = (change: (bytes: Buffer) => void): Lies =>
  giving((block) => ({ ...block, content: resealed(block.content, change) }))

const garbage = Buffer.from("ffffffffffffffffffffff0a0b0c", "hex")

const node = ({ id }: Liar) => ({ tenant: id.tenant, line: id.line, device: id.device })

/** Some of an endless number of logs. */
const manyHeads = (liar: Liar, number: number, count: number) => ({
  origins: [node(liar)],
  heads: Array.from({ length: count }, (_, i) => ({ origin: 0, topic: `${number}/${i}`, offset: 1n })),
})

const malformed = /cannot be taken/

const noBlock = /the block at offset \d cannot be taken/

/** Where the columns of a block begin. */
const times = 12

/** How long `[["number","5"]]` is. */
const headerBytes = 16

/** What is wrong within a block is looked at by itself (`blocks.test.ts`); of that there is a little here. */
const ofBlocks: ReadonlyArray<Lie> = [
  { what: "begins at another offset", lies: giving((block) => ({ ...block, first: 7n })), says: /where \d was due/ },
  ...[0n, 2n ** 64n - 1n].map((first) => ({
    what: `begins at the offset ${first}`,
    lies: giving((block) => ({ ...block, first })),
    says: /was due/,
  })),
  {
    what: "gives other content for what is known",
    lies: saying((content) => ({ ...content, payload: Buffer.from("another") })),
    says: /stored with other content/,
  },
  {
    what: "gives other headers for what is known",
    lies: saying((content) => ({ ...content, headers: makeHeaders({ number: "another" }) })),
    says: /stored with other content/,
  },
  { what: "gives no ids", lies: saying((content) => ({ ...content, id: "" })), says: /an id or a time/ },
  {
    what: "says that there are 4 billion messages",
    lies: giving((block) => ({ ...block, count: 2 ** 32 - 1 })),
    says: /were asked for/,
  },
  {
    what: "gives a checksum that does not fit",
    lies: giving((block) => ({ ...block, content: Buffer.from(block.content).fill(0x78, times, times + 1) })),
    says: /checksum/,
  },
  {
    what: "gives lengths that come to their sum by running over",
    lies: forging((bytes) => {
      // As many bytes as before, counted in 32 bits.
      const lengths = bytes.indexOf(Buffer.from([headerBytes, 0, 0, 0]), times)
      bytes.writeUInt32LE(2 ** 32 - headerBytes, lengths)
      if (bytes.readUInt32LE(lengths + 4) === headerBytes) bytes.writeUInt32LE(3 * headerBytes, lengths + 4)
    }),
    says: noBlock,
  },
  {
    what: "deletes messages, and gives their content",
    lies: saying((content) => ({ ...content, deleted: true })),
    says: /a deletion with content/,
  },
  {
    what: "gives blocks that leave something out",
    lies: fetching((liar, answer, { from, limit, topic }) => {
      for (const [at, taken] of [
        [from, 1],
        [from + 2, limit - 2],
      ] as const) {
        const messages = liar.messages({ topic, from: at, limit: taken })
        if (messages.length > 0) answer.send(response(blockOf(messages)))
      }
      answer.end()
    }),
    says: /was due/,
  },
  {
    what: "gives nothing",
    lies: fetching((_, answer) => answer.end()),
    says: /gives nothing from 5 on/,
  },
  {
    what: "gives an answer without a block",
    lies: fetching((_, answer) => (answer.send(response({})), answer.end())),
    says: malformed,
  },
  {
    what: "gives answers without blocks, and without end",
    isFlood: true,
    lies: fetching((_, answer) => answer.pour(() => response({}))),
    says: /cannot be taken|has not been heard of|was lost/,
  },
  {
    what: "gives blocks without end",
    isFlood: true,
    lies: fetching((liar, answer, { from, topic }) =>
      answer.pour((number) => {
        const messages = Array.from({ length: 50 }, (_, i) => liar.message(topic, from + number * 50 + i))
        return response(blockOf(messages, (content) => ({ ...content, payload: Buffer.alloc(2000) })))
      }),
    ),
    says: /were asked for/,
  },
  {
    what: "gives a block larger than any answer",
    isFlood: true,
    lies: fetching((liar, answer, { from, topic }) => {
      answer.send(response(blockOf([{ ...liar.message(topic, from), payload: Buffer.alloc(17 * 1024 * 1024) }])))
      answer.end()
    }),
    says: /larger than max/,
  },
  {
    what: "gives bytes that are no answer",
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

export const syncLies: ReadonlyArray<Lie> = [
  ...ofBlocks,
  ...ofPeer.map((lie) => ({ ...lie, ofPeer: true })),
  ...ofMoves,
]
