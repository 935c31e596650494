/**
 * Random programs of what clients of topics do. A program is plain data, so that a failing one can be printed, shrunk
 * and run again. What its steps mean is in `run`.
 *
 * Topics and filters are relative: `run` puts a prefix of its own before them, so that a program can be run against a
 * store that holds other things.
 */
import * as fc from "fast-check"

/** One publish: `repeat` publishes the same content again under the same key. */
export interface PublishItem {
  readonly topic: string
  readonly repeat: boolean
}

export type Step =
  /** Several fibers publish at once, each its items one after another. */
  | {
      readonly _tag: "Publish"
      readonly fibers: ReadonlyArray<ReadonlyArray<PublishItem>>
      /** Whether the program goes on meanwhile. */
      readonly background: boolean
      /** Whether the fibers are interrupted after a moment: the outcomes are unknown. */
      readonly interrupted: boolean
    }
  | { readonly _tag: "PublishAll"; readonly topics: ReadonlyArray<string> }
  /** Something that must be refused, and leave no trace. */
  | { readonly _tag: "Refused"; readonly how: "topic" | "key" | "batch" }
  | {
      readonly _tag: "Subscribe"
      readonly filter: string
      readonly origin: "all" | "own" | "other"
      readonly from: "start" | "end" | "cursor" | number
      /** Slow readers let others run between chunks; stopped ones wait for the program's end after their first chunk. */
      readonly pace: "fast" | "slow" | "stopped"
    }
  | { readonly _tag: "Delete"; readonly topic: string; readonly from: number; readonly to: number }
  /** Messages of another node come in, where the world can take them. */
  | { readonly _tag: "Replicate"; readonly topic: string; readonly count: number }
  /** The topics are closed and opened again, where the world can. */
  | { readonly _tag: "Reopen" }

export type Program = ReadonlyArray<
  Step & { /** At which node, where there are several; absent: the first. */ readonly node?: number }
>

const topics = ["a", "b", "a/b", "a/c", "a/b/c"]
const filters = ["#", "a/#", "+", "a/+", "+/b", ...topics]

const topic = fc.constantFrom(...topics)
const item: fc.Arbitrary<PublishItem> = fc.record({ topic, repeat: fc.boolean() })

const publish: fc.Arbitrary<Step> = fc.record({
  _tag: fc.constant("Publish"),
  fibers: fc.array(fc.array(item, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 }),
  background: fc.boolean(),
  interrupted: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})

const subscribe: fc.Arbitrary<Step> = fc
  .record({
    filter: fc.constantFrom(...filters),
    origin: fc.constantFrom("all", "own", "other"),
    from: fc.oneof(fc.constantFrom("start", "end", "cursor"), fc.integer({ min: 1, max: 20 })),
    pace: fc.constantFrom("fast", "slow", "stopped"),
  })
  // An offset is a place in one log.
  .map((step) =>
    typeof step.from === "number"
      ? { _tag: "Subscribe", ...step, filter: "a/b", origin: step.origin === "all" ? "own" : step.origin }
      : { _tag: "Subscribe", ...step },
  )

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: publish },
  { weight: 5, arbitrary: subscribe },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("PublishAll"),
      topics: fc.array(topic, { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("Delete"),
      topic,
      from: fc.integer({ min: 1, max: 12 }),
      to: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ _tag: fc.constant("Replicate"), topic, count: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Refused"), how: fc.constantFrom("topic", "key", "batch") }),
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "Reopen" }) },
)

/** Programs of up to `stepsMax` steps, each at one of so many nodes. */
export const programs = (stepsMax = 16, nodes = 1): fc.Arbitrary<Program> =>
  fc.array(nodes === 1 ? step : fc.tuple(step, fc.nat(nodes - 1)).map(([at, node]) => ({ ...at, node })), {
    minLength: 1,
    maxLength: stepsMax,
  })
