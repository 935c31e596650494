/**
 * What the disks held over time: every message that was ever stored at a place of a log, on whichever disk, and the logs
 * of disks that are gone.
 */
import type { DeletedRange, DeleteMarker } from "../../src/domain/DeleteMarker.ts"
import { format, key as logKey, type LogId } from "../../src/domain/LogId.ts"
import type { Message } from "../../src/domain/Message.ts"
import { equals, key as nodeKey, type NodeId } from "../../src/domain/NodeId.ts"
import { deleteMarkers } from "../../src/domain/Topic.ts"
import type { MemoryDisk } from "../../src/storage/memory/index.ts"

interface Machine {
  readonly node: NodeId
  readonly disk: MemoryDisk
  readonly name: string
}

/** The ids of a log's messages, in order. */
export type Lineage = ReadonlyArray<string>

export class Lives {
  /** How far each disk was looked through. */
  readonly #known = new Map<MemoryDisk, number>()
  readonly #places = new Map<string, Message>()
  /** A sentence for each place that got a second message, and whose log it is in. */
  readonly changed: Array<{ readonly origin: NodeId; readonly finding: string }> = []
  /** Markers of deletions, as their own nodes wrote them: what deletes is not what users write. */
  readonly markers: Array<Message> = []
  /** Of each node, the journals of its disks that are gone. */
  readonly #past = new Map<string, Array<MemoryDisk>>()

  /** Looks at what is new on a machine's disk. */
  wrote({ disk, name, node }: Machine): void {
    for (let i = this.#known.get(disk) ?? 0; i < disk.journal.length; i++) {
      const message = disk.journal[i]
      if (message === undefined) continue
      const place = `${logKey(message)} ${message.offset}`
      const before = this.#places.get(place)
      if (before === undefined || before.deleted) this.#places.set(place, message)
      if (message.topic === deleteMarkers && equals(message.origin, node)) this.markers.push(message)
      if (before === undefined || isSame(before, message)) continue
      const { offset, origin } = message
      const finding = `${name}: ${format(message)} ${offset} is ${textOf(message)}, and was ${textOf(before)} elsewhere`
      this.changed.push({ origin, finding })
    }
    this.#known.set(disk, disk.journal.length)
  }

  /** A machine's disk is gone, and with it what is on none of these. */
  ended({ disk, node }: Machine, others: ReadonlyArray<Machine>): void {
    const past = this.#past.get(nodeKey(node)) ?? []
    this.#past.set(nodeKey(node), [...past, disk])
    for (const [key, { positions }] of disk.logs) {
      const heads = others.map((other) => other.disk.logs.get(key)?.positions.length ?? 0)
      for (let offset = Math.max(0, ...heads) + 1; offset <= positions.length; offset++) {
        this.#places.delete(`${key} ${offset}`)
        const message = disk.journal[positions[offset - 1]! - 1]!
        if (message.topic === deleteMarkers && equals(message.origin, node)) this.forgotten.push(rangeOf(message))
      }
    }
  }

  /** What was deleted, and nobody knows of it any more: it may be deleted here, and not there. */
  readonly forgotten: Array<DeletedRange> = []

  /** Whether it is forgotten what was deleted of a log between two offsets. */
  isForgotten(log: LogId, from: number, to = from): boolean {
    const key = logKey(log)
    return this.forgotten.some((range) => logKey(range.log) === key && range.from <= to && from <= range.to)
  }

  /** Logs that their own nodes took from others without having lost them, a sentence for each. */
  readonly takenBack: Array<string> = []

  /** The logs that a node has written, in all its lives: those of the disks that are gone, and of these machines. */
  lineages(node: NodeId, machines: ReadonlyArray<Machine>): ReadonlyArray<ReadonlyMap<string, Lineage>> {
    const now = machines.filter((machine) => equals(machine.node, node)).map(({ disk }) => disk)
    return [...(this.#past.get(nodeKey(node)) ?? []), ...now].map((disk) => idsOf(disk, node))
  }
}

const rangeOf = ({ createdAt, origin, payload }: Message): DeletedRange => {
  const marker = JSON.parse(decoder.decode(payload)) as typeof DeleteMarker.Type
  return { log: { topic: marker.topic, origin }, from: marker.from_head_id, to: marker.to_head_id, createdAt }
}

/** The ids of a node's messages on a disk, log by log. */
export const idsOf = ({ journal }: MemoryDisk, node: NodeId): ReadonlyMap<string, Lineage> => {
  const logs = new Map<string, Array<string>>()
  for (const message of journal) {
    if (message === undefined || !equals(message.origin, node)) continue
    const ids = logs.get(logKey(message)) ?? []
    logs.set(logKey(message), ids)
    ids.push(message.id)
  }
  return logs
}

const decoder = new TextDecoder()

export const textOf = ({ deleted, headers, payload }: Message): string =>
  deleted ? "" : `${decoder.decode(payload)} ${JSON.stringify(headers)}`

const isSame = (a: Message, b: Message): boolean =>
  a.id === b.id && a.createdAt === b.createdAt && (a.deleted || b.deleted || textOf(a) === textOf(b))
