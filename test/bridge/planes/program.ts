/** Random programs over both planes. What the steps mean is in `run.ts`. */
import * as fc from "fast-check"

export type Step =
  /** A live client publishes some, one after the other; it waits for its acknowledgements, or goes on. */
  | {
      readonly _tag: "Live"
      readonly client: string
      readonly topic: string
      readonly count: number
      readonly waits: boolean
    }
  /** Somebody publishes some in one commit, or each in one of its own. */
  | { readonly _tag: "Durable"; readonly topic: string; readonly count: number; readonly atOnce: boolean }
  /** A live client comes, which reads fast, or slowly and with little room. */
  | { readonly _tag: "Subscribe"; readonly filter: string; readonly isSlow: boolean }
  /** Another live client subscribes to something, and takes that back the next time. */
  | { readonly _tag: "Toggle"; readonly filter: string }
  /** Time for what is under way. */
  | { readonly _tag: "Pause" }

export type Program = ReadonlyArray<Step & { readonly node: number }>

/** Live publications on these are stored; on the others they are not. */
export const durable = "d/#"

const topic = fc.constantFrom("d/a", "d/b", "d/c/d")
const anyTopic = fc.constantFrom("d/a", "d/b", "x")
const filter = fc.constantFrom("#", "d/#", "d/+", "+/a", "d/a", "x", "none")

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: fc.constant("Live"),
      client: fc.constantFrom("ada", "bob"),
      topic,
      count: fc.integer({ min: 1, max: 12 }),
      waits: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Durable"),
      topic: anyTopic,
      count: fc.integer({ min: 1, max: 40 }),
      atOnce: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Subscribe"), filter, isSlow: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Toggle"), filter }) },
  { weight: 1, arbitrary: fc.constant({ _tag: "Pause" }) },
)

export const programs = (nodes: number): fc.Arbitrary<Program> =>
  fc.array(
    fc.tuple(step, fc.nat(nodes - 1)).map(([one, node]) => ({ ...one, node })),
    { minLength: 2, maxLength: 24 },
  )
