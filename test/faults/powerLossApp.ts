/**
 * An application that publishes, deletes and works queues, and says in a file of its own what it asked for and what was
 * acknowledged: `powerLossApp.ts DIRECTORY sqlite|lmdb fsync|os STEPS SEED`. It closes its store and opens it again on the way, and
 * in the end just ends.
 */
import { openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, Layer, Random } from "effect"
import { Queues, layer as queuesLayer } from "../../src/queues/index.ts"
import { CursorStore } from "../../src/storage/CursorStore.ts"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { attemptsMax, type Content, type Line, payloadOf, type Step } from "./powerLossModel.ts"

const [directory = "", backend = "", durability = "", steps = "", seed = ""] = process.argv.slice(2)
const path = join(directory, "store.db")
const sessions = 3
const stepsEach = Math.ceil(Number(steps) / sessions / 5)

const said = openSync(join(directory, "said"), "a")
const say = (line: Line): Effect.Effect<void> => Effect.sync(() => void writeSync(said, `${JSON.stringify(line)}\n`))

let label = 0
/** Mostly small, now and then over several pages. */
const content: Effect.Effect<Content> = Effect.gen(function* () {
  const isLarge = (yield* Random.nextIntBetween(0, 6)) === 0
  return { label: `m${++label}`, bytes: yield* Random.nextIntBetween(10, isLarge ? 14_000 : 300) }
})

type Services = Topics.Topics | Queues | CursorStore

const perform = (step: Step): Effect.Effect<unknown, unknown, Services> =>
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const queues = yield* Queues
    switch (step.type) {
      case "publish": {
        const [first, ...others] = step.contents
        if (others.length === 0) return yield* topics.publish(step.topic, payloadOf(first!), { key: first!.label })
        return yield* topics.publishAll(
          step.contents.map((content) => ({ topic: step.topic, payload: payloadOf(content) })),
        )
      }
      case "delete":
        return yield* topics.deleteRange(step.topic, step.from, step.to)
      case "enqueue":
        return yield* queues.enqueue(step.queue, payloadOf(step.content))
      case "move": {
        const cursors = yield* CursorStore
        const filter = { topics: "single", origin: undefined }
        // The first claim makes it where it is to be, and the later ones leave it where it was.
        const { epoch } = yield* cursors.claim({ name: step.cursor, filter, position: step.position, at: 1000 })
        return yield* cursors.move([{ name: step.cursor, epoch, position: step.position, at: 1000 }])
      }
      case "ack":
      case "reject": {
        const front = yield* Effect.flatMap(queues.peek(step.queue), Effect.fromOption)
        return yield* step.type === "ack"
          ? queues.ack(step.queue, front.id)
          : queues.reject(step.queue, front.id, { attemptsMax, reason: "planned" })
      }
    }
  })

/** An actor's next step, given what it has done. */
type Choose = Effect.Effect<Step, unknown, Services>

const mover = (cursor: string): Choose =>
  Effect.gen(function* () {
    const topics = yield* Topics.Topics
    const { position } = yield* topics.cursor
    return { type: "move", cursor, position }
  })

const publisher = (topic: string, contentsMax: number): Choose =>
  Effect.gen(function* () {
    const count = yield* Random.nextIntBetween(1, contentsMax + 1)
    return { type: "publish", topic, contents: yield* Effect.forEach(Array.from({ length: count }), () => content) }
  })

const deleter = (topic: string): Choose => {
  let messages = 0
  return Effect.gen(function* () {
    if (messages < 3 || (yield* Random.nextIntBetween(0, 3)) > 0) {
      const step = yield* publisher(topic, 4)
      if (step.type === "publish") messages += step.contents.length
      return step
    }
    const from = yield* Random.nextIntBetween(1, messages + 1)
    return { type: "delete", topic, from, to: from + (yield* Random.nextIntBetween(0, 5)) }
  })
}

const worker = (queue: string): Choose => {
  const attempts: Array<number> = []
  return Effect.gen(function* () {
    const choice = yield* Random.nextIntBetween(0, 5)
    if (attempts.length === 0 || choice < 2) {
      attempts.push(0)
      return { type: "enqueue", queue, content: yield* content }
    }
    if (choice < 4) {
      attempts.shift()
      return { type: "ack", queue }
    }
    if (++attempts[0]! === attemptsMax) attempts.shift()
    return { type: "reject", queue }
  })
}

const actors: Readonly<Record<string, Choose>> = {
  single: publisher("single", 1),
  batches: publisher("batches", 6),
  deletions: deleter("deletions"),
  queue: worker("queue"),
  cursor: mover("cursor"),
}

/** One actor's steps of a session. */
const act = (actor: string, choose: Choose) =>
  Effect.repeat(
    Effect.gen(function* () {
      const step = yield* choose
      yield* say({ actor, what: "asked", step })
      yield* perform(step)
      yield* say({ actor, what: "acknowledged", step })
    }),
    { times: stepsEach - 1 },
  )

/** Has the log taken into the database, as it happens by itself after a lot more writing. */
const checkpoints = Effect.gen(function* () {
  const beside = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(path)),
    (database) => Effect.sync(() => database.close()),
  )
  yield* Effect.forever(
    Effect.andThen(
      Effect.sleep(3),
      Effect.sync(() => beside.exec("PRAGMA busy_timeout = 1000; PRAGMA wal_checkpoint(PASSIVE)")),
    ),
  )
})

const session = Effect.raceFirst(
  Effect.forEach(Object.entries(actors), ([actor, choose]) => act(actor, choose), {
    concurrency: "unbounded",
    discard: true,
  }),
  backend === "lmdb" ? Effect.never : Effect.scoped(checkpoints),
)

/** A database file, or LMDB's directory: then that of the program itself, whose names are noted. */
const storage = (options: { readonly durability: "fsync" | "os"; readonly reserveBytes: 0 }) =>
  backend === "lmdb" ? Lmdb.layer({ ...options, path: directory }) : Sqlite.layer({ ...options, path })

const layer = () =>
  Layer.merge(Topics.layer, queuesLayer).pipe(
    // What is kept for a full disk says nothing, and would be copied into every image.
    Layer.provideMerge(storage({ durability: durability === "os" ? "os" : "fsync", reserveBytes: 0 })),
  )

await Effect.runPromise(
  Effect.gen(function* () {
    for (let i = 1; i < sessions; i++) yield* Effect.provide(session, layer())
    yield* Effect.provide(
      Effect.andThen(
        session,
        Effect.sync(() => process.kill(process.pid, "SIGKILL")),
      ),
      layer(),
    )
  }).pipe(Random.withSeed(seed)),
)
