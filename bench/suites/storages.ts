/**
 * Topics over each storage, 100-byte payloads, every commit synced: against the same messages through the bare client of
 * that storage. And several nodes on one PostgreSQL, against one of them.
 */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Lmdb from "../../src/storage/lmdb/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Postgres from "../../src/storage/postgres/index.ts"
import * as Sqlite from "../../src/storage/sqlite/index.ts"
import { makeServer, type PostgresServer, skipsPostgres } from "../../test/support/postgresServer.ts"
import { BareLmdb } from "../baselines/bareLmdb.ts"
import { BarePostgres } from "../baselines/barePostgres.ts"
import { BareSqlite } from "../baselines/bareSqlite.ts"
import { batchSize, Bus, ids, makeDirectory, payloads, publishBatches, publishConcurrently, replay } from "../bus.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, measureAlone, type Row, rate } from "../measure.ts"
import { PostgresNodes } from "../postgresNodes.ts"

const suite = "storages"

/** Fibers that publish at a time. */
const publishers = 1000
const pageRows = 1000

/** A storage, and its bare client. */
interface Contender {
  readonly storage: string
  readonly bus: Bus
  /** Messages of a round. */
  readonly count: number
  /** Absent where there is nothing to compare with. */
  readonly bare?: {
    readonly what: string
    /** Stores so many batches, a transaction each. */
    readonly commits: (batches: number) => unknown
    readonly read: (rows: number) => unknown
  }
  readonly close: () => Promise<void>
}

const memory = (count: number): Contender => {
  const bus = new Bus(Memory.layer())
  return { storage: "memory", bus, count, close: () => bus.close() }
}

const sqlite = (count: number): Contender => {
  const [directory, remove] = makeDirectory()
  const bus = new Bus(Sqlite.layer({ path: join(directory, "ours.sqlite") }))
  const bare = new BareSqlite(join(directory, "bare.sqlite"))
  return {
    storage: "sqlite",
    bus,
    count,
    bare: {
      what: "bare node:sqlite",
      commits: (batches) => {
        for (let i = 0; i < batches; i++) bare.commit(payloads, ids)
      },
      read: (rows) => bare.readPages(pageRows, rows, "objects"),
    },
    close: async () => {
      await bus.close()
      bare.close()
      remove()
    },
  }
}

const lmdb = (count: number): Contender => {
  const [directory, remove] = makeDirectory()
  const bus = new Bus(Lmdb.layer({ path: join(directory, "ours") }))
  const bare = new BareLmdb(join(directory, "bare"))
  return {
    storage: "lmdb",
    bus,
    count,
    bare: {
      what: "bare lmdb",
      commits: (batches) => {
        for (let i = 0; i < batches; i++) bare.commit(payloads, ids)
      },
      read: (rows) => bare.readPages(pageRows, rows),
    },
    close: async () => {
      await bus.close()
      await bare.close()
      remove()
    },
  }
}

const postgres = async (count: number, server: PostgresServer): Promise<Contender> => {
  const bus = new Bus(Postgres.layer({ url: server.url("ours") }))
  const bare = new BarePostgres(server.url())
  await bare.create()
  return {
    storage: "postgres",
    bus,
    count,
    bare: {
      what: "bare @effect/sql-pg, unnest",
      commits: (batches) => bare.commit(payloads, ids, batches),
      read: (rows) => bare.readPages(pageRows, rows),
    },
    close: async () => {
      await bus.close()
      await bare.close()
    },
  }
}

/** Publishes and replays, beside the bare client where there is one. */
const compare = async ({ bare, bus, count, storage }: Contender, times: number, report: (row: Row) => void) => {
  const rows = 2 * count
  const measurements = [
    {
      name: "publish concurrent",
      against: "a row a message, 1,000 rows a commit",
      ours: () => rate(count, () => bus.run((topics) => publishConcurrently(topics, publishers, count / publishers))),
      baseline: () => rate(count, () => bare?.commits(count / batchSize)),
    },
    {
      name: "publishAll",
      against: "a row a message, 1,000 rows a commit",
      ours: () => rate(count, () => bus.run((topics) => publishBatches(topics, count))),
      baseline: () => rate(count, () => bare?.commits(count / batchSize)),
    },
    {
      name: "replay",
      against: "pages of 1,000 rows",
      ours: () => rate(rows, () => bus.run((topics) => replay(topics, rows))),
      baseline: () => rate(rows, () => bare?.read(rows)),
    },
  ]
  for (const { against, baseline, name, ours } of measurements) {
    const what = { name: `${storage}: ${name}`, unit: "messages/s", ours }
    report(
      bare === undefined
        ? await measureAlone(suite, what, times)
        : await comparePair(suite, { ...what, baseline, against: `${bare.what}, ${against}` }, times),
    )
  }
}

/** So many nodes together against one of them, each a process of its own. */
const compareNodes = async (server: PostgresServer, count: number, times: number, report: (row: Row) => void) => {
  const sizes = [2, 4, 8]
  const nodes = await PostgresNodes.start(server.url("nodes"), Math.max(...sizes))
  for (const size of sizes) {
    report(
      await comparePair(
        suite,
        {
          name: `postgres: ${size} nodes`,
          unit: "messages/s",
          against: "one node on the same database",
          ours: () => rate(count, () => nodes.publish(size, count)),
          baseline: () => rate(count, () => nodes.publish(1, count)),
        },
        times,
      ),
    )
  }
  await nodes.stop()
}

const withServer = (use: (server: PostgresServer) => Promise<void>): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(makeServer(), (server) => Effect.promise(() => use(server)))))

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const measure = async (contender: Contender) => {
    await compare(contender, times, report)
    await contender.close()
  }
  await measure(memory(full ? 1_000_000 : 100_000))
  await measure(sqlite(full ? 1_000_000 : 100_000))
  await measure(lmdb(full ? 1_000_000 : 100_000))
  if (skipsPostgres) {
    console.error("There is no PostgreSQL here, so it is left out.")
    return
  }
  await withServer(async (server) => {
    await measure(await postgres(full ? 500_000 : 30_000, server))
    await compareNodes(server, full ? 240_000 : 24_000, times, report)
  })
}
