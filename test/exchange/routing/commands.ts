/**
 * Random programs for a routing core: who comes, with which rights and which room in its buffer, who goes, what they
 * subscribe to and send, and what they do when they hear that somebody has gone.
 */
import * as fc from "fast-check"
import type { ModelClientOptions } from "../../../src/testing/exchange/ExchangeModel.ts"

/** Who does it: the client that registered as the so-manieth, who may have left since. */
type Who = { readonly who: number }

export type Request =
  | (Who & { readonly type: "send"; readonly target: string; readonly isRealtime: boolean; readonly isLent: boolean })
  | (Who & {
      readonly type: "broadcast"
      readonly mask: string
      readonly isRealtime: boolean
      readonly isLent: boolean
    })
  | (Who & {
      readonly type: "publish"
      readonly topic: string
      readonly receiver: string | undefined
      readonly isRealtime: boolean
      readonly isLent: boolean
    })

export type Reaction =
  | Request
  | (Who & { readonly type: "leave" })
  | (Who & { readonly type: "subscribe" | "unsubscribe"; readonly filter: string })
  | { readonly type: "register"; readonly name: string; readonly options: ModelClientOptions }

export type Command =
  | Request
  | {
      readonly type: "register"
      readonly name: string
      readonly options: ModelClientOptions
      onClose?: Reaction | undefined
    }
  | (Who & { readonly type: "leave" | "read" })
  | (Who & { readonly type: "subscribe" | "unsubscribe" | "exclude" | "include"; readonly filter: string })
  | { readonly type: "forceDisconnect"; readonly name: string }
  | { readonly type: "deliver"; readonly topic: string; readonly isRealtime: boolean }
  /** What was published first on a durable topic is committed, or fails. */
  | { readonly type: "settle"; readonly isStored: boolean }
  | { readonly type: "hasSubscribers"; readonly topic: string }
  | { readonly type: "flush" }

export interface Program {
  readonly settings: { readonly subscriptionsMax: number; readonly forceRegister: boolean }
  /** Whether a watcher tells subscribers of `.broker/info` who has come and gone. */
  readonly isAnnounced: boolean
  readonly commands: ReadonlyArray<Command>
}

const primaries = ["a", "a.b", "b.c", "b.c.d", "c"]
const secondaries = ["a%%1", "a%%2", "b.c%%x", "a.b%%1%%2"]
const wrong = ["", " ", ".own", "%%1", "a%%", "a\0", ".%%1"]
const own = [".own", ".broker"]

const names = [...primaries, ...secondaries, ...own]
const topics = ["a", "a/b", "a/b/c", "a/c", "b", "b/b", "a/", "a+", "$s/t", "d/x", "d/y/z", ".broker/info"]
const filters = "# + a/# a a/b a/+ +/b a/#/b +/# a/+/c +/+ a+ $s/# d/# d/x .broker/# .broker/info b #/a a//b".split(" ")
const masks = ["*", "?", "a", "a.*", "?.b", "?.*", "a.b", "b.c.*", "b.?.d", "a%%1", "?%%1", ".*", "*.x", "", "a*"]

/** Some words out of many: programs that use few say more about each. */
const some = (words: ReadonlyArray<string>, least: number, most: number) =>
  fc.uniqueArray(fc.constantFrom(...words), { minLength: least, maxLength: most, size: "max" })

/** Filters that match the topic, and near misses. */
const filtersOf = (topic: string): ReadonlyArray<string> => {
  const parts = topic.split("/")
  const above = parts.slice(0, -1)
  return [topic, `${topic}/#`, [...above, "+"].join("/"), [...above, "#"].join("/"), ["+", ...parts.slice(1)].join("/")]
}

interface Words {
  /** Who is there from the start. */
  readonly first: ReadonlyArray<string>
  readonly name: fc.Arbitrary<string>
  readonly topic: fc.Arbitrary<string>
  readonly filter: fc.Arbitrary<string>
  readonly mask: fc.Arbitrary<string>
}

const words: fc.Arbitrary<Words> = fc
  .record({
    first: some(primaries, 2, 4),
    others: some([...names, "nobody"], 1, 3),
    topics: some(topics, 1, 3),
    strange: some(filters, 0, 2),
    masks: some(masks, 1, 3),
  })
  .chain(({ first, masks, others, strange, topics }) =>
    some(topics.flatMap(filtersOf), 2, 4).map((near) => ({
      first,
      name: fc.constantFrom(...first, ...others),
      topic: fc.constantFrom(...topics),
      filter: fc.constantFrom(...near, ...strange),
      mask: fc.constantFrom(...masks),
    })),
  )

const who = fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, fc.nat(7))
const flags = { isRealtime: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()), isLent: fc.boolean() }

const commandsOf = ({ filter, first, mask, name, topic }: Words): fc.Arbitrary<ReadonlyArray<Command>> => {
  const sending: fc.Arbitrary<Request> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant("send"), who, target: name, ...flags }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant("broadcast"), who, mask, ...flags }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant("publish"),
        who,
        topic,
        receiver: fc.option(name, { nil: undefined, freq: 4 }),
        ...flags,
      }),
    },
  )

  const denials = fc.array(
    fc.oneof(
      name.map((target) => `send ${target}`),
      mask.map((mask) => `broadcast ${mask}`),
      topic.map((one) => `publish ${one}`),
      filter.map((one) => `subscribe ${one}`),
    ),
    { maxLength: 4 },
  )

  const options: fc.Arbitrary<ModelClientOptions> = fc.record({
    isOwn: fc.constant(false),
    framesMax: fc.oneof({ weight: 5, arbitrary: fc.constant(1000) }, fc.integer({ min: 0, max: 4 })),
    overflow: fc.constantFrom("disconnect", "dropNewest"),
    denied: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, denials),
    breaks: fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, fc.boolean()),
  })

  const registration = fc.oneof(
    { weight: 12, arbitrary: fc.record({ type: fc.constant("register" as const), name, options }) },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant("register" as const), name: fc.constantFrom(...wrong), options }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant("register" as const),
        name: fc.constantFrom(...own),
        options: options.map((chosen) => ({ ...chosen, isOwn: true })),
      }),
    },
  )

  const leaving = fc.record({ type: fc.constant("leave" as const), who })

  const reaction: fc.Arbitrary<Reaction> = fc.oneof(
    { weight: 3, arbitrary: sending },
    { weight: 2, arbitrary: leaving },
    { weight: 2, arbitrary: registration },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constantFrom("subscribe" as const, "unsubscribe" as const), who, filter }),
    },
  )

  const command: fc.Arbitrary<Command> = fc.oneof(
    { weight: 14, arbitrary: sending },
    {
      weight: 5,
      arbitrary: fc
        .tuple(registration, fc.option(reaction, { nil: undefined, freq: 1 }))
        .map(([register, onClose]) => ({ ...register, onClose })),
    },
    { weight: 8, arbitrary: fc.record({ type: fc.constant("subscribe" as const), who, filter }) },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constantFrom("unsubscribe" as const, "exclude" as const, "include" as const),
        who,
        filter,
      }),
    },
    { weight: 2, arbitrary: leaving },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("read" as const), who }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("forceDisconnect" as const), name }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("deliver" as const), topic, isRealtime: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("settle" as const), isStored: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("hasSubscribers" as const), topic }) },
    { weight: 2, arbitrary: fc.constant({ type: "flush" as const }) },
  )

  /** Some are there from the start, so that not every program begins with nobody to talk to. */
  const beginning = fc.tuple(
    ...first.map((name) =>
      fc
        .tuple(options, fc.option(reaction, { nil: undefined }))
        .map(([options, onClose]): Command => ({ type: "register", name, options, onClose })),
    ),
  )
  return fc
    .tuple(beginning, fc.array(command, { maxLength: 50, size: "max" }))
    .map(([some, others]) => [...some, ...others])
}

export const programs: fc.Arbitrary<Program> = fc.record({
  settings: fc.record({
    subscriptionsMax: fc.oneof({ weight: 3, arbitrary: fc.constant(65_536) }, fc.integer({ min: 0, max: 4 })),
    forceRegister: fc.boolean(),
  }),
  isAnnounced: fc.boolean(),
  commands: words.chain(commandsOf),
})
