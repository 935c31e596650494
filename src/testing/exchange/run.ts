/**
 * Runs a random program on an exchange and on the model of one, and tells what differs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { type ConnectError, Exchange, type ExchangeClient, type Received } from "../../exchange/Exchange.ts"
import { ExchangeModel, type ModelClient, type ModelDelivery } from "./ExchangeModel.ts"
import type { ExchangeProgram, ExchangeSend, ExchangeStep } from "./program.ts"

/** What a program runs in. */
export interface ExchangeWorld<E = never> {
  readonly layer: Layer.Layer<Exchange, E>
  /** Whether `clients` can be asked for. By default true. */
  readonly listsClients?: boolean | undefined
  /** How long to wait for what should come, in milliseconds. By default 5,000. */
  readonly patienceMillis?: number | undefined
}

/** A client while the program runs, on both sides. */
interface Actor {
  readonly client: ExchangeClient
  readonly model: ModelClient
  readonly scope: Scope.Closeable
  readonly received: Array<ModelDelivery>
  /** Who has said that nothing more comes from it. */
  readonly ended: Set<string>
}

/** The last that each client sends to each. */
const end = "end"

class Differs extends Error {}

const same = (what: string, actual: unknown, expected: unknown): void => {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return
  throw new Differs(`${what}: ${JSON.stringify(actual)}, and should be ${JSON.stringify(expected)}`)
}

const refusals = { invalid: "InvalidArgument", taken: "NameTaken", primaryMissing: "PrimaryMissing" } as const

/** Dies with what differs, if something does. */
export const runExchangeProgram = <E>(
  program: ExchangeProgram,
  world: ExchangeWorld<E>,
): Effect.Effect<void, E | ConnectError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const own = `law${randomUUID().slice(0, 8)}`
      const spelled = (text: string): string => text.replaceAll("~", own)
      const exchange = Context.get(yield* Layer.build(Layer.fresh(world.layer)), Exchange)
      const patience = world.patienceMillis ?? 5000
      const scope = yield* Effect.scope
      const model = new ExchangeModel()
      const all: Array<Actor> = []
      const present = new Map<string, Actor>()
      let payloads = 0

      /** Not one of the program: asks whether others are there. */
      const driver = yield* exchange.connect(`driver-${own}`)
      yield* Effect.forkScoped(Effect.ignore(Stream.runDrain(driver.inbox)))

      const until = (isSo: () => boolean): Effect.Effect<unknown> =>
        Effect.gen(function* () {
          for (let turns = 0; !isSo(); turns++) yield* turns < 20 ? Effect.yieldNow : Effect.sleep(1)
        }).pipe(Effect.timeoutOption(patience))

      const receive = ({ ended, received }: Actor, { kind, sender, topic, isRealtime, payload }: Received): void => {
        const text = new TextDecoder().decode(payload)
        // Others may broadcast, and the bus itself publishes.
        if (!sender.startsWith(own)) return
        if (text === end) ended.add(sender)
        else received.push({ kind, sender, topic, isRealtime, payload: text })
      }

      const connect = Effect.fnUntraced(function* (name: string) {
        const scope = yield* Scope.make()
        yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
        const exit = yield* Effect.result(Scope.provide(exchange.connect(name), scope))
        const expected = model.register(name)
        if (typeof expected === "string") {
          return same(`connect ${name}`, Result.isFailure(exit) ? exit.failure._tag : "ok", refusals[expected])
        }
        if (Result.isFailure(exit)) return same(`connect ${name}`, exit.failure._tag, "ok")
        const actor = { client: exit.success, model: expected, scope, received: [], ended: new Set<string>() }
        all.push(actor)
        present.set(name, actor)
        const reading = Stream.runForEachArray(actor.client.inbox, (chunk) =>
          Effect.sync(() => {
            for (const one of chunk) receive(actor, one)
          }),
        )
        yield* Effect.forkIn(Effect.ignore(reading), scope, { startImmediately: true })
      })

      /** Who leaves is gone when it cannot be sent to any more. */
      const isGone = (name: string): Effect.Effect<boolean> =>
        Effect.map(Effect.result(driver.send(name, "are you there?")), (sent) => {
          return Result.isFailure(sent) && sent.failure._tag === "NotRegistered"
        })

      const leave = Effect.fnUntraced(function* (actor: Actor) {
        const before = [...present]
        model.leave(actor.model, "left")
        yield* Scope.close(actor.scope, Exit.void)
        for (const [name, other] of before) {
          if (other.model.isOpen) continue
          present.delete(name)
          let gone = false
          const asking = Effect.repeat(
            Effect.tap(isGone(name), (is) => Effect.sync(() => (gone = is))),
            {
              until: (is) => is,
            },
          )
          yield* Effect.timeoutOption(asking, patience)
          same(`${name}, whose primary is gone or who left, is gone`, gone, true)
          yield* Scope.close(other.scope, Exit.void)
        }
      })

      const tagOf = (sending: Effect.Effect<void, { readonly _tag: string }>): Effect.Effect<string> =>
        Effect.map(Effect.result(sending), (sent) => (Result.isFailure(sent) ? sent.failure._tag : "ok"))

      const send = (actor: Actor, what: ExchangeSend): Effect.Effect<void> => {
        const { isProcessed, isRealtime, times } = what
        const options = { isProcessed, isRealtime }
        const texts = Array.from({ length: times }, () => `payload ${++payloads}`)
        let sending: Effect.Effect<void, { readonly _tag: string }>
        let outcome = "ok"
        if (what.to === "client") {
          const target = spelled(what.name)
          sending =
            times === 1 ? actor.client.send(target, texts[0]!, options) : actor.client.sendAll(target, texts, options)
          for (const text of texts) outcome = model.send(actor.model, target, text, isRealtime)
        } else if (what.to === "mask") {
          const mask = spelled(what.mask)
          sending = Effect.forEach(texts, (text) => actor.client.broadcast(mask, text, options), { discard: true })
          for (const text of texts) model.broadcast(actor.model, mask, text, isRealtime)
        } else {
          const topic = spelled(what.topic)
          const receiver = what.receiver === undefined ? undefined : spelled(what.receiver)
          sending = actor.client.publishAll(topic, texts, { ...options, receiver })
          for (const text of texts) model.publish(actor.model, topic, text, isRealtime, receiver)
        }
        const expected = isProcessed && outcome === "notRegistered" ? "NotRegistered" : "ok"
        const name = actor.client.name
        return Effect.map(tagOf(sending), (tag) => same(`${name} sends ${JSON.stringify(what)}`, tag, expected))
      }

      /** What was sent before and not waited for has been routed when this is answered. */
      const settled = (actor: Actor): Effect.Effect<void> =>
        Effect.map(tagOf(actor.client.unsubscribe(`${own}/none`)), (tag) => same("unsubscribe", tag, "ok"))

      const take = (step: ExchangeStep): Effect.Effect<void, never, Scope.Scope> => {
        if (step.type === "send") {
          return Effect.forEach(
            step.senders,
            ({ name, sends }) => {
              const actor = present.get(spelled(name))
              if (actor === undefined) return Effect.void
              return Effect.andThen(
                Effect.forEach(sends, (one) => send(actor, one)),
                settled(actor),
              )
            },
            { concurrency: "unbounded", discard: true },
          )
        }
        const name = spelled(step.name)
        if (step.type === "connect") return connect(name)
        const actor = present.get(name)
        if (actor === undefined) return Effect.void
        if (step.type === "leave") return leave(actor)
        const filters = step.filters.map(spelled)
        for (const filter of filters) model[step.type](actor.model, filter)
        return Effect.map(tagOf(actor.client[step.type](...filters)), (tag) => same(step.type, tag, "ok"))
      }

      for (const step of program) yield* Scope.provide(take(step), scope)

      const rest = [...present.values()]
      for (const from of rest) {
        for (const to of rest) same("the last send", yield* tagOf(from.client.send(to.client.name, end)), "ok")
      }
      yield* until(() => rest.every(({ ended }) => ended.size === rest.length))
      for (const actor of all) compare(actor)
      if (world.listsClients === false) return
      const listed = yield* Effect.result(exchange.clients)
      const known = Result.isFailure(listed) ? [] : listed.success.filter(({ name }) => name.startsWith(own))
      const primaries = model.clients.filter(({ isSecondary }) => !isSecondary)
      const instances = (name: string) => model.clients.filter(({ primary }) => primary === name).length
      same(
        "the clients",
        known.map(({ name, instances }) => [name, instances]),
        primaries.map(({ name }) => [name, instances(name)] as const).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      )
    }),
  )

/** What one sender sent under one topic, in order. */
const groups = (deliveries: ReadonlyArray<ModelDelivery>): Map<string, ReadonlyArray<string>> => {
  const found = new Map<string, ReadonlyArray<string>>()
  for (const { kind, sender, topic, isRealtime, payload } of deliveries) {
    const key = `from ${sender} on "${topic}"`
    found.set(key, [...(found.get(key) ?? []), `${kind} ${payload}${isRealtime ? " at once" : ""}`])
  }
  return found
}

/** Who is still there has got all of it, and who has left the beginning of it, and nobody anything else. */
const compare = ({ client, ended, model, received }: Actor): void => {
  const actual = groups(received)
  const expected = groups(model.waiting)
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    const got = actual.get(key) ?? []
    const due = expected.get(key) ?? []
    const by = ended.size
    same(`what ${client.name} got ${key} (${by} senders ended)`, got, model.isOpen ? due : due.slice(0, got.length))
  }
}
