/**
 * Random programs around one named cursor: publishes, consumers that end in all ways, resets, nodes that close or lose
 * their power, and others that take the cursor away.
 */
import * as fc from "fast-check"

export type CursorStep =
  | { readonly _tag: "Publish"; readonly topics: ReadonlyArray<string> }
  /** A consumer that handles so many messages, and then fails or is interrupted; it takes the cursor over. */
  | {
      readonly _tag: "Consume"
      readonly count: number
      readonly how: "fail" | "interrupt"
      readonly chunks: boolean
      /** Through another node on the same store. */
      readonly elsewhere: boolean
    }
  /** A consumer that goes on in the background, with all that comes. */
  | { readonly _tag: "Follow"; readonly chunks: boolean }
  /** Puts the cursor to a part of the journal. */
  | { readonly _tag: "Reset"; readonly part: number; readonly elsewhere: boolean }
  | { readonly _tag: "Delete" }
  /** The node's connections break, where it has some. */
  | { readonly _tag: "Cut" }
  /** The node is closed and opened again; after a power cut nothing that it still does reaches the store. */
  | { readonly _tag: "Reopen"; readonly powerCut: boolean }

export type CursorProgram = ReadonlyArray<CursorStep>

const chunks = fc.boolean()
const elsewhere = fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
const tag = <Tag extends CursorStep["_tag"]>(name: Tag) => fc.constant(name)

const step: fc.Arbitrary<CursorStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: tag("Publish"),
      topics: fc.array(fc.constantFrom("a", "b", "a/c"), { minLength: 1, maxLength: 9 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: tag("Consume"),
      count: fc.nat(8),
      how: fc.constantFrom("fail" as const, "interrupt" as const),
      chunks,
      elsewhere,
    }),
  },
  { weight: 3, arbitrary: fc.record({ _tag: tag("Follow"), chunks }) },
  { weight: 2, arbitrary: fc.record({ _tag: tag("Reset"), part: fc.integer({ min: 0, max: 4 }), elsewhere }) },
  { weight: 1, arbitrary: fc.record({ _tag: tag("Delete") }) },
  { weight: 1, arbitrary: fc.record({ _tag: tag("Cut") }) },
  { weight: 3, arbitrary: fc.record({ _tag: tag("Reopen"), powerCut: fc.boolean() }) },
)

export const cursorPrograms = (stepsMax = 16): fc.Arbitrary<CursorProgram> =>
  fc.array(step, { minLength: 1, maxLength: stepsMax })
