/**
 * The queues and their blocks: what is between a queue's front and its end is there once, and can be read.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { queueProblem } from "../../domain/QueueItem.ts"
import { ItemBlockReader } from "../parts/ItemBlock.ts"
import { isCount, rowsMax, runsOf } from "./runs.ts"
import type { Report } from "./Report.ts"
import type { ReadFailure, Source } from "./Source.ts"

interface Queue {
  readonly number: number
  readonly name: string
  readonly firstSequence: number
  readonly lastSequence: number
}

interface Place {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly items: number
  readonly bytes: number
}

const quoted = (name: string): string => `the queue ${JSON.stringify(name)}`

/** Gives how many queues and items there are. */
export const examineQueues = (
  source: Source,
  report: Report,
): Effect.Effect<{ readonly queues: number; readonly items: number }, ReadFailure> =>
  Effect.gen(function* () {
    for (const [number] of yield* source.lostQueues) {
      report.add("queue", `there are items of queue ${String(number)}, which is not in the table of queues`, {
        row: `${source.prefix}queue_blocks ${String(number)}`,
      })
    }
    const rows = yield* source.queues
    let items = 0
    for (const [number, name, first, last, attempts] of rows) {
      const queue = String(name)
      const place = { queue, row: `${source.prefix}queues ${String(number)}` }
      const wrong = queueProblem(queue)
      if (wrong !== undefined)
        report.add("queue", `queue ${String(number)} has a name that none can have: ${wrong}`, place)
      if (!isCount(first, 1) || !isCount(last, 0) || first > last + 1) {
        report.add("queue", `${quoted(queue)} begins at sequence ${String(first)} and ends at ${String(last)}`, place)
        continue
      }
      if (!isCount(attempts, 0) || (attempts > 0 && first > last)) {
        report.add("queue", `${quoted(queue)} counts ${String(attempts)} attempts at its front`, place)
      }
      items += last - first + 1
      yield* examineQueue(source, report, {
        number: number as number,
        name: queue,
        firstSequence: first,
        lastSequence: last,
      })
    }
    return { queues: rows.length, items }
  })

const examineQueue = (source: Source, report: Report, queue: Queue): Effect.Effect<void, ReadFailure> =>
  Effect.gen(function* () {
    const { name, number } = queue
    /** The last item that was seen; those before the front are gone. */
    let last = queue.firstSequence - 1
    let after = 0
    const lack = (first: number, upTo: number) =>
      report.add("queue", `${quoted(name)} lacks its items ${first} to ${upTo}`, { queue: name })
    while (true) {
      const rows = yield* source.queueBlocks(number, after)
      const places: Array<Place> = []
      for (const [lastSequence, items, bytes] of rows) {
        if (!isCount(lastSequence, after + 1) || !isCount(items, 1) || !isCount(bytes, 0) || items > lastSequence) {
          report.add(
            "queue",
            `${quoted(name)} has a row with impossible numbers: ${String(lastSequence)}, ${String(items)}`,
            {
              queue: name,
            },
          )
          return
        }
        const firstSequence = lastSequence - items + 1
        const block = `the block of ${quoted(name)} that ends at sequence ${lastSequence}`
        if (lastSequence < queue.firstSequence)
          report.add("queue", `${block} is still there, and its items are gone`, { queue: name })
        else if (firstSequence > last + 1) lack(last + 1, firstSequence - 1)
        // The first block may begin before the front.
        else if (firstSequence <= after)
          report.add("queue", `${block} begins at ${firstSequence}, within the one before it`, { queue: name })
        last = Math.max(last, lastSequence)
        after = lastSequence
        places.push({ firstSequence, lastSequence, items, bytes })
      }
      for (const run of runsOf(places)) yield* examineContents(source, report, queue, run)
      if (rows.length < rowsMax) break
      yield* Effect.yieldNow
    }
    if (last < queue.lastSequence) lack(last + 1, queue.lastSequence)
    if (last > queue.lastSequence) {
      report.add("queue", `${quoted(name)} ends at sequence ${last}, and ${queue.lastSequence} is noted as its end`, {
        queue: name,
      })
    }
  })

const examineContents = (
  source: Source,
  report: Report,
  queue: Queue,
  run: ReadonlyArray<Place>,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { name, number } = queue
    const read = yield* Effect.result(source.queueContents(number, run[0]!.lastSequence, run.at(-1)!.lastSequence))
    const rows = Result.getOrUndefined(read)
    if (rows?.length !== run.length && run.length > 1) {
      for (const place of run) yield* examineContents(source, report, queue, [place])
      return
    }
    for (const [i, place] of run.entries()) {
      const [about, content] = rows?.[i] ?? []
      const why = Result.isFailure(read) ? read.failure.message : problemOf(place, about, content)
      if (why === undefined) continue
      const block = `the block of ${quoted(name)} that ends at sequence ${place.lastSequence}`
      report.add("queue", `${block} is damaged: ${why}`, {
        queue: name,
        row: `${source.prefix}queue_blocks ${number} ${place.lastSequence}`,
      })
    }
  })

const problemOf = ({ items, lastSequence }: Place, about: unknown, content: unknown): string | undefined => {
  if (typeof about !== "string" || !(content instanceof Uint8Array)) return "it is not where its row says"
  try {
    const block = new ItemBlockReader({ about, content, items, lastSequence })
    for (let sequence = block.firstSequence; sequence <= block.lastSequence; sequence++) block.content(sequence)
    return undefined
  } catch (error) {
    // Whatever reading runs into is damage: what is read here was written by us.
    return error instanceof Error ? error.message : String(error)
  }
}
