/**
 * What access rules forbid is forbidden on every path (I9): every principal asks for everything, on every way there is,
 * and what comes of it is held against a naive model. A new way is one line here.
 */
import { describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as LiveTopic from "../../src/domain/LiveTopic.ts"
import * as Permissions from "../../src/access/Permissions.ts"
import * as Topics from "../../src/topics/index.ts"
import { ask, type Findings, together } from "./matrix/Cell.ts"
import * as model from "./matrix/model.ts"
import * as World from "./matrix/World.ts"

vi.setConfig({ testTimeout: 300_000 })

const askEverywhere = Effect.gen(function* () {
  const world = yield* World.make
  const findings = together([
    yield* ask([world.inProcess(Topics.guarded)]),
    yield* ask([world.millrace]),
    yield* ask([world.millraceSecure]),
    yield* ask([world.msgbus]),
    yield* ask([world.sync]),
    yield* ask([world.admin]),
    yield* ask([world.bus]),
    yield* ask(world.live),
  ])
  return { ...findings, marks: yield* world.marks }
})

/** Only in this process, behind a guard that is planted. */
const askBehind = (guard: World.Guard): Effect.Effect<Findings, never, never> =>
  Effect.scoped(Effect.flatMap(World.make, (world) => ask([world.inProcess(guard)])))

describe("access rules (I9)", () => {
  it.live("are kept on every path", () =>
    Effect.gen(function* () {
      const { allowed, cells, deniedMarks, leaks, marks, refusals } = yield* askEverywhere
      expect(leaks).toEqual([])
      expect(refusals).toEqual([])
      expect([...deniedMarks].filter((mark) => marks.has(mark))).toEqual([])
      expect(cells).toBeGreaterThan(2000)
      // It is a test only where much is allowed and much is not, and where what is allowed is seen to happen.
      expect(allowed).toBeGreaterThan(cells / 5)
      expect(allowed).toBeLessThan((cells * 4) / 5)
      expect(marks.size).toBeGreaterThan(500)
      console.info(`access matrix: ${cells} cells, ${allowed} of them allowed, ${leaks.length} leaks`)
    }),
  )
})

describe("the matrix finds", () => {
  it.live("rules that are skipped on replay", () =>
    Effect.gen(function* () {
      const { leaks } = yield* askBehind((topics, permissions) => ({
        ...Topics.guarded(topics, permissions),
        subscribe: (filter, options) =>
          (options?.from === "end" ? Topics.guarded(topics, permissions) : topics).subscribe(filter, options),
      }))
      expect(leaks.length).toBeGreaterThan(0)
      expect(leaks.every((leak) => leak.includes("subscribe, replay"))).toBe(true)
    }),
  )

  it.live("filters that are taken for topics", () =>
    Effect.gen(function* () {
      const { leaks } = yield* askBehind((topics, permissions) => {
        const { subscribe = [] } = model.rules.principals[permissions.principal]!
        const matchers = subscribe === "any" ? undefined : subscribe.map(LiveTopic.matcher)
        return Topics.guarded(topics, {
          ...permissions,
          allows: (verb, object) =>
            verb === "subscribe" && matchers !== undefined
              ? matchers.some((matches) => matches(object))
              : permissions.allows(verb, object),
        })
      })
      expect(leaks.length).toBeGreaterThan(0)
    }),
  )

  it.live("what is listed without being looked at", () =>
    Effect.gen(function* () {
      const { leaks } = yield* askBehind((topics, permissions) => ({
        ...Topics.guarded(topics, permissions),
        heads: topics.heads,
      }))
      expect(leaks.length).toBeGreaterThan(0)
    }),
  )

  it.live("cursors that anybody may move who knows their names", () =>
    Effect.gen(function* () {
      const { leaks } = yield* askBehind((topics, permissions) => ({
        ...Topics.guarded(topics, permissions),
        resetCursor: topics.resetCursor,
      }))
      expect(leaks.length).toBeGreaterThan(0)
    }),
  )

  it.live("rules that know too little", () =>
    Effect.gen(function* () {
      const { leaks, refusals } = yield* askBehind((topics, { principal }) =>
        Topics.guarded(topics, Permissions.make(principal, {})),
      )
      expect(leaks).toEqual([])
      expect(refusals.length).toBeGreaterThan(0)
    }),
  )
})
