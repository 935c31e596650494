/**
 * What a reader of very many messages saw, in numbers: room for all of them is made beforehand, so that noting one costs
 * no memory, and what is measured meanwhile is what others use.
 *
 * The messages are numbered from 0, and go to fifty topics in turn. In the end each topic is a history of its own, small
 * enough for any heap.
 */
import * as LogId from "../../src/domain/LogId.ts"
import type { Message } from "../../src/domain/Message.ts"
import { defaultNodeId } from "../../src/domain/NodeId.ts"
import { check, type Seen, type Verdict, type Write } from "../../src/testing/history.ts"

export const topicsCount = 50
const payloadBytes = 100

/** The topic of message n. */
export const topicOf = (number: number): string => `load/${number % topicsCount}`

/** 100 bytes that begin with the number. */
export const payloadOf = (number: number): string => `${number} `.padEnd(payloadBytes, ".")

const zero = 0x30
const space = 0x20

const numberOf = (payload: Uint8Array): number => {
  let number = 0
  for (let i = 0; payload[i] !== space && i < payload.length; i++) number = number * 10 + payload[i]! - zero
  return number
}

export class Tape {
  readonly #topics: Uint8Array
  readonly #offsets: Uint32Array
  readonly #numbers: Uint32Array
  readonly #positions: Uint32Array
  readonly #last = new Uint32Array(topicsCount)
  #count = 0
  #jumps = 0

  constructor(messages: number) {
    // Written to, so that the memory is really there from the beginning.
    this.#topics = new Uint8Array(messages).fill(1)
    this.#offsets = new Uint32Array(messages).fill(1)
    this.#numbers = new Uint32Array(messages).fill(1)
    this.#positions = new Uint32Array(messages).fill(1)
  }

  get count(): number {
    return this.#count
  }

  /** Messages whose offset was not the one after that of the message before in their topic. */
  get jumps(): number {
    return this.#jumps
  }

  note({ topic, offset, position, payload }: Message): void {
    const log = Number(topic.slice("load/".length))
    const last = this.#last[log]!
    if (last > 0 && offset !== last + 1) this.#jumps++
    this.#last[log] = offset
    this.#topics[this.#count] = log
    this.#offsets[this.#count] = offset
    this.#numbers[this.#count] = numberOf(payload)
    this.#positions[this.#count] = position
    this.#count++
  }

  /** What was seen of a topic. The place in the journal tells a message from every other. */
  seen(topic: number): ReadonlyArray<Seen> {
    const seen: Array<Seen> = []
    for (let i = 0; i < Math.min(this.#count, this.#topics.length); i++) {
      if (this.#topics[i] !== topic) continue
      seen.push({
        topic: topicOf(topic),
        origin: defaultNodeId,
        offset: this.#offsets[i]!,
        id: `position ${this.#positions[i]}`,
        content: `${this.#numbers[i]}`,
        deleted: false,
      })
    }
    return seen
  }
}

/** What publishers were told: the offset of each message. */
export class Acknowledgements {
  readonly #offsets: Uint32Array
  constructor(messages: number) {
    this.#offsets = new Uint32Array(messages).fill(0)
  }

  note(number: number, offset: number): void {
    this.#offsets[number] = offset
  }

  writes(topic: number): ReadonlyArray<Write> {
    const writes: Array<Write> = []
    for (let number = topic; number < this.#offsets.length; number += topicsCount) {
      writes.push({
        topic: topicOf(topic),
        origin: defaultNodeId,
        writer: "publisher",
        content: `${number}`,
        outcome: "ok",
        offset: this.#offsets[number],
      })
    }
    return writes
  }
}

export interface Tapes {
  readonly acknowledgements: Acknowledgements
  /** What somebody read who came when everything was over. */
  readonly final: Tape
  /** What others read, each from this offset on. */
  readonly readers: ReadonlyArray<{ readonly name: string; readonly tape: Tape; readonly first: number }>
}

/** The verdict on the first so many topics. */
export const verdicts = ({ acknowledgements, final, readers }: Tapes, topics: number): ReadonlyArray<Verdict> =>
  Array.from({ length: topics }, (_, topic) => {
    const all = final.seen(topic)
    const key = LogId.key({ topic: topicOf(topic), origin: defaultNodeId })
    return check({
      writes: acknowledgements.writes(topic),
      deletions: [],
      final: all,
      reads: readers.map(({ name, tape, first }) => ({
        reader: name,
        seen: tape.seen(topic),
        expected: new Map([[key, { firstMin: first, firstMax: first, last: all.length }]]),
      })),
    })
  })
