/**
 * Random programs for an exchange: clients that come and go, what they want to have, and what they send to each other
 * at the same time.
 */
import * as fc from "fast-check"

/** Something that a client sends, some times over. */
export type ExchangeSend = {
  readonly times: number
  readonly isProcessed: boolean
  readonly isRealtime: boolean
} & (
  | { readonly to: "client"; readonly name: string }
  | { readonly to: "mask"; readonly mask: string }
  | { readonly to: "topic"; readonly topic: string; readonly receiver: string | undefined }
)

/** Clients are named by their names: nothing happens where there is none. */
export type ExchangeStep =
  | { readonly type: "connect"; readonly name: string }
  | { readonly type: "leave"; readonly name: string }
  | {
      readonly type: "subscribe" | "unsubscribe" | "exclude" | "include"
      readonly name: string
      readonly filters: ReadonlyArray<string>
    }
  /** Each of these clients sends one thing after the other, all of them at once. */
  | {
      readonly type: "send"
      readonly senders: ReadonlyArray<{ readonly name: string; readonly sends: ReadonlyArray<ExchangeSend> }>
    }

export type ExchangeProgram = ReadonlyArray<ExchangeStep>

/** Where `~` stands, a program has a part of its own, so that programs do not hear each other. */
const primaries = ["~.a", "~.b", "~.b.c"]
const names = [...primaries, "~.a%%1", "~.a%%2", "~.b%%x"]
const wrong = ["", ".~", "%%~", "~.a%%"]
const topics = ["~/a", "~/a/b", "~/b"]
const filters = ["~/#", "~/+", "~/a", "~/a/#", "~/a/+", "~/a/#/b", "+/~", "+/a", "#", "~/b", "~/+/b", "+/+/b"]
const masks = ["~.*", "~.?", "~.a", "?.a", "*", "~.b.*", "?.?.c", "~.a%%1", "~.?%%1"]

const name = fc.constantFrom(...names)
const primary = fc.constantFrom(...primaries)

const how = {
  times: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 20 })),
  isProcessed: fc.boolean(),
  isRealtime: fc.boolean(),
}

const steps = (topic: fc.Arbitrary<string>, filter: fc.Arbitrary<string>): fc.Arbitrary<ExchangeStep> => {
  const send: fc.Arbitrary<ExchangeSend> = fc.oneof(
    { weight: 2, arbitrary: fc.record({ to: fc.constant("client" as const), name, ...how }) },
    { weight: 2, arbitrary: fc.record({ to: fc.constant("mask" as const), mask: fc.constantFrom(...masks), ...how }) },
    {
      weight: 4,
      arbitrary: fc.record({
        to: fc.constant("topic" as const),
        topic,
        receiver: fc.option(name, { nil: undefined, freq: 4 }),
        ...how,
      }),
    },
  )

  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("connect" as const),
        name: fc.oneof({ weight: 12, arbitrary: name }, { weight: 1, arbitrary: fc.constantFrom(...wrong) }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("leave" as const), name }) },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constantFrom(
          "subscribe" as const,
          "subscribe" as const,
          "unsubscribe" as const,
          "exclude" as const,
          "include" as const,
        ),
        name: fc.oneof(primary, name),
        filters: fc.array(filter, { minLength: 1, maxLength: 3 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc
        .uniqueArray(fc.oneof(primary, name), { minLength: 1, maxLength: 3 })
        .chain((senders) =>
          fc.tuple(
            ...senders.map((name) => fc.array(send, { minLength: 1, maxLength: 4 }).map((sends) => ({ name, sends }))),
          ),
        )
        .map((senders) => ({ type: "send" as const, senders })),
    },
  )
}

/** Some topics and filters out of many: programs that use few say more about each. */
const few = fc.tuple(
  fc.uniqueArray(fc.constantFrom(...topics), { minLength: 1, maxLength: 2 }),
  fc.uniqueArray(fc.constantFrom(...filters), { minLength: 1, maxLength: 4 }),
)

/** Programs of up to `stepsMax` steps, after some clients have come. */
export const exchangePrograms = (stepsMax = 24): fc.Arbitrary<ExchangeProgram> =>
  few
    .chain(([topics, filters]) =>
      fc.tuple(
        fc.uniqueArray(primary, { minLength: 1, maxLength: 3, size: "max" }),
        fc.array(steps(fc.constantFrom(...topics), fc.constantFrom(...filters)), {
          minLength: 1,
          maxLength: stepsMax,
          size: "max",
        }),
      ),
    )
    .map(([first, steps]) => [...first.map((name): ExchangeStep => ({ type: "connect", name })), ...steps])
