/**
 * What many would take instead: a queue of BullMQ on Redis. Jobs go as ours do, first in, first out, done one after the
 * other by one worker, and are gone when they are done.
 */
import { Queue, Worker } from "bullmq"
import { Redis } from "ioredis"

const name = "work"

export class BullQueue {
  readonly #connection: Redis
  readonly #queue: Queue

  /** @param socket of a Redis server */
  constructor(socket: string) {
    // As BullMQ wants it for workers.
    this.#connection = new Redis({ path: socket, maxRetriesPerRequest: null })
    this.#queue = new Queue(name, { connection: this.#connection })
  }

  /** Adds jobs in one call, which Redis answers once all are on the disk. */
  async enqueue(payloads: ReadonlyArray<string>): Promise<void> {
    await this.#queue.addBulk(
      payloads.map((payload) => ({ name, data: { payload }, opts: { removeOnComplete: true } })),
    )
  }

  /** Does so many jobs with one worker. */
  async take(jobs: number): Promise<void> {
    let left = jobs
    const worker = new Worker(name, async () => undefined, { connection: this.#connection, autorun: false })
    const done = new Promise<void>((resolve) => {
      worker.on("completed", () => {
        if (--left === 0) resolve()
      })
    })
    const running = worker.run()
    await done
    await worker.close()
    await running
  }

  /** Forgets all jobs. */
  clear(): Promise<void> {
    return this.#queue.obliterate({ force: true })
  }

  async close(): Promise<void> {
    await this.#queue.close()
    this.#connection.disconnect()
  }
}
