/** Looking after a store in PostgreSQL: damage is found and named, and nodes that share it are all its owners. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ExaminationEvent } from "../../src/storage/Examination.ts"
import { LogStore } from "../../src/storage/LogStore.ts"
import { examine, layer, sizing } from "../../src/storage/postgres/index.ts"
import { draft, otherNode, ownNode } from "../../src/testing/storage/fixtures.ts"
import { sharedServer, skipsPostgres } from "../support/postgresServer.ts"
import { damages } from "./damages.ts"
import { discardSome, fill } from "./filled.ts"

const server = sharedServer()
let schemas = 0

const makeStore = Effect.gen(function* () {
  const schema = `store_${++schemas}`
  yield* Effect.provide(fill, layer({ url: server().url(schema), node: ownNode }))
  return schema
})

const examined = (schema: string) =>
  Effect.map(Stream.runCollect(examine({ url: server().url(schema) })), (events: ReadonlyArray<ExaminationEvent>) => {
    const last = events.at(-1)
    if (last?._tag !== "Examined") throw new Error("the examination did not end")
    return { findings: events.flatMap((e) => (e._tag === "Found" ? [e.finding] : [])), summary: last.summary }
  })

const append = (schema: string, node: typeof ownNode) =>
  Effect.flatMap(LogStore, (store) => store.append([[draft("orders", "one more", { key: "a key" })]])).pipe(
    Effect.provide(layer({ url: server().url(schema), node })),
  )

describe.skipIf(skipsPostgres)("an examination of a store in PostgreSQL", () => {
  it.live("finds it healthy, and counts what is in it", () =>
    Effect.gen(function* () {
      const { findings, summary } = yield* examined(yield* makeStore)
      expect(findings).toEqual([])
      expect(summary).toMatchObject({ node: ownNode, format: 2, logs: 4, messages: 22, queues: 1, items: 5 })
      expect(summary.bytes).toBeGreaterThan(0)
    }),
  )

  it.live("finds nothing wrong where messages were discarded, also at the journal's end", () =>
    Effect.gen(function* () {
      const schema = yield* makeStore
      yield* Effect.flatMap(LogStore, discardSome).pipe(Effect.provide(layer({ url: server().url(schema) })))
      const { findings, summary } = yield* examined(schema)
      expect([findings, summary.messages]).toEqual([[], 11])
    }),
  )

  it.live("knows all nodes that share it", () =>
    Effect.gen(function* () {
      const schema = `store_${++schemas}`
      yield* append(schema, ownNode)
      yield* append(schema, otherNode)
      const { findings, summary } = yield* examined(schema)
      expect(findings).toEqual([])
      expect(summary).toMatchObject({ logs: 2, messages: 2 })
      expect(summary.node).toBeUndefined()
    }),
  )

  it.live("says so where there is no store, and where nobody can look", () =>
    Effect.gen(function* () {
      yield* server().query("CREATE SCHEMA empty")
      expect((yield* examined("empty")).findings).toMatchObject([{ kind: "not a database" }])
      const { message } = yield* Effect.flip(Stream.runDrain(examine({ url: server().url("empty", "nowhere") })))
      expect(message).toMatch(/nowhere.* cannot be reached: /)
    }),
  )
})

/** Of these tables there is more, or a table says it in another way. */
const otherwise = new Set([
  "another node's name in the store",
  "a node's name that cannot be read",
  "a table that is gone",
])

const inPostgres = (statement: string): string =>
  statement.replace(/zeroblob\((\d+)\)/, "decode(repeat('00', $1), 'hex')")

describe.skipIf(skipsPostgres)("damage of a store in PostgreSQL is found, and named", () => {
  for (const [what, { kind, says, statements }] of Object.entries(damages)) {
    if (otherwise.has(what)) continue
    it.live(what, () =>
      Effect.gen(function* () {
        const schema = yield* makeStore
        const damaging = statements.map(inPostgres).join(";")
        // Statements name no schema; whoever connects from here on finds the tables all the same.
        yield* server().query(`ALTER ROLE postgres SET search_path = ${schema}`)
        yield* server().query(damaging)
        const { findings } = yield* examined(schema)
        expect(findings.map((finding) => [finding.kind, finding.message])).toContainEqual([
          kind,
          expect.stringContaining(says),
        ])
      }),
    )
  }
})

it.live.skipIf(skipsPostgres)(
  "a table of a store in PostgreSQL that is gone is found, and the others are examined",
  () =>
    Effect.gen(function* () {
      const schema = yield* makeStore
      yield* server().query(`DROP TABLE ${schema}.millrace_keys`)
      const { findings, summary } = yield* examined(schema)
      expect(findings.map(({ kind, message }) => [kind, message])).toEqual([
        ["unreadable", expect.stringMatching(/^the table millrace_keys cannot be read: .*does not exist/)],
      ])
      expect(summary).toMatchObject({ logs: 4, messages: 22, queues: 1, items: 5 })
    }),
)

it.live.skipIf(skipsPostgres)("a store in PostgreSQL whose incarnation was taken away gets a new one", () =>
  Effect.gen(function* () {
    const schema = yield* makeStore
    const info = Effect.map(LogStore, (store) => store.info).pipe(
      Effect.provide(layer({ url: server().url(schema), node: ownNode })),
    )
    const before = yield* info
    expect(yield* info).toEqual(before)
    yield* server().query(`DELETE FROM ${schema}.millrace_meta WHERE name = 'incarnation'`)
    expect((yield* info).incarnation).not.toBe(before.incarnation)
    expect((yield* examined(schema)).findings).toEqual([])
  }),
)

describe.skipIf(skipsPostgres)("the size of a store in PostgreSQL", () => {
  it.live("grows with what is stored, and is known again after the connection was cut", () =>
    Effect.gen(function* () {
      const schema = yield* makeStore
      const sizeBytes = yield* sizing({ url: server().url(schema) })
      const before = yield* sizeBytes
      const large = Array.from({ length: 20 }, (_, i) => draft("large", `${i}${"x".repeat(50_000)}`))
      yield* Effect.flatMap(LogStore, (store) => store.append([large])).pipe(
        Effect.provide(layer({ url: server().url(schema), node: ownNode })),
      )
      expect(yield* sizeBytes).toBeGreaterThan(before + 900_000)
      yield* server().terminate()
      yield* Effect.eventually(sizeBytes)
    }),
  )
})
