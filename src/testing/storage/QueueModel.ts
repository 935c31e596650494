/**
 * What queues should do, said as simply as possible: lists of items, and one operation at a time.
 */
import { type Death, deadQueueOf } from "../../domain/QueueItem.ts"
import { ItemBlockReader } from "../../storage/parts/ItemBlock.ts"
import type { QueueOperation, QueueResult, QueueState } from "../../storage/QueueStore.ts"

interface ModelItem {
  readonly id: string
  readonly sequence: number
  readonly attempts: number
  readonly death: Death | undefined
}

export class QueueModel {
  private readonly queues = new Map<string, Array<ModelItem>>()
  private readonly lastSequences = new Map<string, number>()

  /** A queue's items, the front first. */
  items(queue: string): ReadonlyArray<ModelItem> {
    return this.queues.get(queue) ?? []
  }

  /** All queues that ever had an item. Every item was enqueued at 1,000 ms. */
  get states(): ReadonlyArray<QueueState> {
    return [...this.lastSequences]
      .map(([queue, lastSequence]) => {
        const depth = this.items(queue).length
        return { queue, depth, lastSequence, oldestAt: depth === 0 ? undefined : 1000 }
      })
      .toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
  }

  apply(operation: QueueOperation): QueueResult {
    switch (operation.type) {
      case "enqueue": {
        const firstSequence = (this.lastSequences.get(operation.queue) ?? 0) + 1
        for (const block of operation.blocks) {
          const ids = new ItemBlockReader({ ...block, lastSequence: block.items }).ids()
          for (const id of ids) this.append(operation.queue, id, undefined)
        }
        return { type: "enqueue", firstSequence }
      }
      case "ack": {
        const accepted = this.items(operation.queue)[0]?.id === operation.id
        if (accepted) this.queues.get(operation.queue)!.shift()
        return { type: "ack", accepted }
      }
      case "ackRange": {
        const { first, last, queue } = operation
        let removed = 0
        while (first + removed <= last && this.items(queue)[0]?.sequence === first + removed) {
          this.queues.get(queue)!.shift()
          removed += 1
        }
        return { type: "ackRange", removed }
      }
      case "reject": {
        const { at, attemptsMax, id, queue, reason } = operation
        const front = this.items(queue)[0]
        if (front?.id !== id) return { type: "reject", accepted: false, attempts: 0, isDead: false }
        const attempts = front.attempts + 1
        const isDead = attemptsMax !== undefined && attempts >= attemptsMax
        this.queues.get(queue)!.shift()
        if (isDead) this.append(deadQueueOf(queue), id, { sequence: front.sequence, attempts, reason, at })
        else this.queues.get(queue)!.unshift({ ...front, attempts })
        return { type: "reject", accepted: true, attempts, isDead }
      }
      case "redrive": {
        const dead = this.queues.get(deadQueueOf(operation.queue)) ?? []
        const moved = dead.splice(0, operation.itemsMax)
        for (const { id } of moved) this.append(operation.queue, id, undefined)
        return { type: "redrive", moved: moved.length }
      }
    }
  }

  private append(queue: string, id: string, death: Death | undefined): number {
    const sequence = (this.lastSequences.get(queue) ?? 0) + 1
    this.lastSequences.set(queue, sequence)
    const items = this.queues.get(queue) ?? []
    items.push({ id, sequence, attempts: 0, death })
    this.queues.set(queue, items)
    return sequence
  }
}
