/** Lies over `msgbus.v1`: what a peer can say that is not so, and what is to be said of it. */
import { payload as markerPayload } from "../../src/domain/DeleteMarker.ts"
import { deleteMarkers } from "../../src/domain/Topic.ts"
import * as Msgbus from "../../src/protocol/grpc/gen/msgbus/v1/msgbus_pb.ts"
import { type Answer, type Asked, bytesOf, type Envelope, type Head, type Liar, type Lies, msgbusNode } from "./Liar.ts"

/** What a peer does. */
export interface Lie {
  readonly what: string
  readonly lies: Lies
  /** What the state says of the log, or of the peer; absent: nothing, for it does no harm. */
  readonly says?: RegExp
  /** Whether all that the peer has is concerned; absent: one log, and its other one is taken. */
  readonly ofPeer?: boolean
  /** Whether what it says of its own logs is true. */
  readonly ofOthers?: boolean
  /** Whether it keeps the daemon busy: such lies are told to a daemon of their own. */
  readonly isFlood?: boolean
}

type Change = (envelope: Envelope, liar: Liar) => Envelope

const response = (message: Envelope): Uint8Array => bytesOf(Msgbus.FetchResponseSchema, { message })

/** Gives true messages, each changed. */
const giving = (change: Change): Lies => ({
  Fetch: (liar, answer, asked) => {
    for (const message of liar.messages(asked)) answer.send(response(change(message, liar)))
    answer.end()
  },
})

/** The same, where only what is new is changed, or only what is known already. */
const givingNew = (change: Change): Lies =>
  giving((envelope, liar) => (envelope.headId > 5n ? change(envelope, liar) : envelope))
const givingKnown = (change: Change): Lies =>
  giving((envelope, liar) => (envelope.headId <= 5n ? change(envelope, liar) : envelope))

/** Answers a question for messages anyhow. */
const fetching = (fetch: (liar: Liar, answer: Answer, asked: Asked) => void): Lies => ({ Fetch: fetch })

/** Lists other logs than it has. */
const listing = (change: (heads: Array<Head>, liar: Liar) => Array<Head>): Lies => ({
  ListHeads: (liar, answer) => {
    answer.send(bytesOf(Msgbus.ListHeadsResponseSchema, { heads: change(liar.heads(), liar) }))
    answer.end()
  },
})

/** Lists one of its logs otherwise, and the honest one as it is. */
const listed = (change: (head: Head, liar: Liar) => Head): Lies =>
  listing(([first, ...others], liar) => [change(first!, liar), ...others])

const garbage = Buffer.from("ffffffffffffffffffffff0a0b0c", "hex")

/** A text field that is not UTF-8. */
const notUtf8 = (field: number): Buffer => Buffer.from([(field << 3) | 2, 3, 0x61, 0xff, 0xfe])

/** A message in a field of another. */
const nested = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | 2, bytes.byteLength]), bytes])

const huge = 17 * 1024 * 1024

const offsets = [0n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]

const ofMessages: ReadonlyArray<Lie> = [
  {
    what: "gives other content for what is known",
    lies: givingKnown((envelope) => ({ ...envelope, payload: Buffer.from("changed") })),
    says: /stored with other content/,
  },
  {
    what: "gives other headers for what is known",
    lies: givingKnown((envelope) => ({ ...envelope, headers: { number: "changed" } })),
    says: /stored with other content/,
  },
  {
    what: "gives another id for what is known",
    lies: givingKnown((envelope) => ({ ...envelope, id: "changed" })),
    says: /stored with other content/,
  },
  {
    what: "gives another time for what is known",
    lies: givingKnown((envelope) => ({ ...envelope, createdAtMs: 1n })),
    says: /stored with other content/,
  },
  {
    what: "leaves an offset out",
    lies: givingNew((envelope) => ({ ...envelope, headId: envelope.headId + 1n })),
    says: /gave offset 7 where 6 was due/,
  },
  {
    what: "gives an offset twice",
    lies: givingNew((envelope) => ({ ...envelope, headId: 6n })),
    says: /gave offset 6 where 7 was due/,
  },
  ...offsets.map((headId) => ({
    what: `gives the offset ${headId}`,
    lies: givingNew((envelope) => ({ ...envelope, headId })),
    says: /where 6 was due/,
  })),
  {
    what: "gives messages of another topic",
    lies: givingNew((envelope) => ({ ...envelope, topic: "mine" })),
    says: /another log was asked for/,
  },
  {
    what: "gives messages of the victim itself",
    lies: givingNew((envelope, { victim }) => ({ ...envelope, origin: msgbusNode(victim) })),
    says: /another log was asked for/,
  },
  {
    what: "gives messages of nobody",
    lies: givingNew(({ origin: _, ...envelope }) => envelope),
    says: /another log was asked for/,
  },
  { what: "gives no id", lies: givingNew((envelope) => ({ ...envelope, id: "" })), says: /an id or a time/ },
  {
    what: "gives an id without end",
    lies: givingNew((envelope) => ({ ...envelope, id: "x".repeat(100_000) })),
    says: /an id or a time/,
  },
  {
    what: "gives a time that cannot be",
    lies: givingNew((envelope) => ({ ...envelope, createdAtMs: 2n ** 64n - 1n })),
    says: /an id or a time/,
  },
  {
    what: "gives a message that is too large",
    isFlood: true,
    lies: givingNew((envelope) => ({ ...envelope, payload: Buffer.alloc(3.6 * 1024 * 1024) })),
    says: /at most 3670016 are taken/,
  },
]

const ofAnswers: ReadonlyArray<Lie> = [
  {
    what: "gives a message larger than any answer",
    isFlood: true,
    lies: givingNew((envelope) => ({ ...envelope, payload: Buffer.alloc(huge) })),
    says: /larger than max/,
  },
  {
    what: "says that 4 GiB are to come",
    lies: fetching((_, answer) => {
      answer.sendBytes(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))
      answer.end()
    }),
    says: /larger than max/,
  },
  {
    what: "gives more than was asked for",
    lies: fetching((liar, answer, { from, limit, topic }) => {
      for (let i = 0; i < limit + 3; i++) answer.send(response(liar.message(topic, from + i)))
      answer.end()
    }),
    says: /were asked for/,
  },
  {
    what: "gives messages without end",
    isFlood: true,
    lies: fetching((liar, answer, { from, topic }) =>
      answer.pour((number) => response({ ...liar.message(topic, from + number), payload: Buffer.alloc(100_000) })),
    ),
    says: /were asked for/,
  },
  {
    what: "gives answers without messages, without end",
    isFlood: true,
    lies: fetching((_, answer) => answer.pour(() => new Uint8Array())),
    says: /gives nothing from 5 on|was lost|no node answers/,
  },
  { what: "gives nothing", lies: fetching((_, answer) => answer.end()), says: /gives nothing from 5 on/ },
  {
    what: "gives bytes that are no message",
    lies: fetching((_, answer) => {
      answer.send(garbage)
      answer.end()
    }),
    says: /pars|premature|wire type|invalid/i,
  },
  {
    what: "gives an id that is no text",
    lies: fetching((_, answer) => {
      answer.send(nested(1, notUtf8(1)))
      answer.end()
    }),
    says: /pars|utf/i,
  },
  {
    what: "gives bytes that are not even framed",
    lies: fetching((_, answer) => {
      answer.sendBytes(Buffer.alloc(1000, 0xff))
      answer.end()
    }),
    says: /larger than max|compress|pars/i,
  },
  { what: "fails", lies: fetching((_, answer) => answer.end(13)), says: /no node answers|INTERNAL|13/ },
  {
    what: "breaks the connection in the middle",
    lies: fetching((liar, answer, { from, topic }) => {
      answer.send(response(liar.message(topic, from)))
      setImmediate(() => answer.reset())
    }),
    says: /no node answers|the connection .* was lost/,
  },
  { what: "gives no answer", lies: fetching(() => {}), says: /in time|was lost/ },
  {
    what: "gives a message now and then",
    lies: fetching((liar, answer, asked) => answer.trickle(liar.messages(asked).map(response), 3000)),
    says: /in time|was lost/,
  },
]

const ofHeads: ReadonlyArray<Lie> = [
  ...offsets.map((headId) => ({
    what: `lists the head ${headId}`,
    lies: listed((head) => ({ ...head, headId })),
    says: /a head is a whole number/,
  })),
  { what: "lists no topic", lies: listed((head) => ({ ...head, topic: "" })), says: /a log that cannot be/ },
  {
    what: "lists a topic with NUL",
    lies: listed((head) => ({ ...head, topic: "a\0b" })),
    says: /a log that cannot be/,
  },
  {
    what: "lists a topic without end",
    lies: listed((head) => ({ ...head, topic: "x".repeat(100_000) })),
    says: /a log that cannot be/,
  },
  {
    what: "lists a log of nobody",
    lies: listed(({ headId, topic }) => ({ headId, topic })),
    says: /a log that cannot be/,
  },
  {
    what: "has more of the victim's own log",
    ofOthers: true,
    lies: listing((heads, { victim }) => [{ topic: "mine", origin: msgbusNode(victim), headId: 999n }, ...heads]),
    says: /this node's own log of mine up to 999/,
  },
  {
    what: "has the victim's own log otherwise",
    ofOthers: true,
    lies: {
      ...listing((heads, { victim }) => [{ topic: "mine", origin: msgbusNode(victim), headId: 20n }, ...heads]),
      Fetch: (liar, answer, asked) => {
        const isMine = asked.topic === "mine"
        const own = { ...liar.message("mine", asked.from), origin: msgbusNode(liar.victim) }
        for (const message of isMine ? [own] : liar.messages(asked)) answer.send(response(message))
        answer.end()
      },
    },
    says: /another message at offset 20 of this node's own log/,
  },
  {
    what: "lists a log twice, and otherwise",
    ofOthers: true,
    lies: listing((heads) => [...heads, ...heads.map((head) => ({ ...head, headId: 2n ** 60n }))]),
  },
  {
    what: "deletes what is the victim's",
    ofOthers: true,
    lies: {
      ...listing((heads, liar) => [{ topic: deleteMarkers, origin: msgbusNode(liar.id), headId: 1n }, ...heads]),
      Fetch: (liar, answer, asked) => {
        const log = { topic: "mine", origin: liar.victim }
        const payload = markerPayload({ log, from: 1, to: 20, createdAt: 1 })
        const { topic } = asked
        for (const message of topic === deleteMarkers ? [liar.message(topic, 1)] : liar.messages(asked)) {
          answer.send(response(topic === deleteMarkers ? { ...message, payload } : message))
        }
        answer.end()
      },
    },
  },
]

/** Lists so many logs, with the shortest names. */
const listingMany = (count: number): Lies => ({
  ListHeads: (liar, answer) => {
    const list = (): Uint8Array => {
      // A list is its parts, one after the other.
      const parts = Array.from({ length: count }, (_, i) =>
        nested(1, Buffer.concat([nested(1, Buffer.from(i.toString(36))), tail])),
      )
      return Buffer.concat(parts)
    }
    const tail = bytesOf(Msgbus.TopicHeadSchema, { origin: msgbusNode(liar.id), headId: 1n })
    answer.send(liar.once(list))
    answer.end()
  },
})

const health = (node: ReturnType<typeof msgbusNode> | undefined): Lies => ({
  Health: (_, answer) => {
    answer.send(bytesOf(Msgbus.HealthResponseSchema, { status: "SERVING", ...(node === undefined ? {} : { node }) }))
    answer.end()
  },
})

const ofPeer: ReadonlyArray<Omit<Lie, "ofPeer">> = [
  {
    what: "is another node",
    lies: health(msgbusNode({ tenant: "acme", line: "press", device: "somebody else" })),
    says: /should be/,
  },
  {
    what: "has the victim's identity",
    lies: health(msgbusNode({ tenant: "acme", line: "press", device: "victim" })),
    says: /two nodes with one identity|should be/,
  },
  { what: "is nobody", lies: health(undefined), says: /should be/ },
  {
    what: "says who it is in bytes that are no message",
    lies: {
      Health: (_, answer) => {
        answer.send(garbage)
        answer.end()
      },
    },
    says: /pars|premature|wire type|invalid/i,
  },
  { what: "does not say who it is", lies: { Health: () => {} }, says: /in time|was lost/ },
  {
    what: "breaks the connection instead of saying who it is",
    lies: { Health: (_, answer) => answer.reset() },
    says: /no node answers|lost/,
  },
  {
    what: "lists bytes that are no list",
    lies: {
      ListHeads: (_, answer) => {
        answer.send(garbage)
        answer.end()
      },
    },
    says: /pars|premature|wire type|invalid/i,
  },
  {
    what: "lists a topic that is no text",
    lies: {
      ListHeads: (_, answer) => {
        answer.send(nested(1, notUtf8(1)))
        answer.end()
      },
    },
    says: /pars|utf/i,
  },
  { what: "lists nothing, ever", lies: { ListHeads: () => {} }, says: /in time|was lost/ },
  {
    what: "lists a million logs",
    isFlood: true,
    lies: listingMany(1_000_000),
    says: /larger than max|at most/,
  },
  {
    what: "lists as many logs as fit into an answer",
    isFlood: true,
    lies: listingMany(350_000),
    says: /larger than max|at most/,
  },
]

export const msgbusLies: ReadonlyArray<Lie> = [
  ...ofMessages,
  ...ofAnswers,
  ...ofHeads,
  ...ofPeer.map((lie) => ({ ...lie, ofPeer: true })),
]
