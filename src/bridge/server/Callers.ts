/**
 * Who asks: the live clients that call `.bus`, each with topics and queues under its own access rules. What they publish
 * is theirs on the live plane too.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { OutcomeUnknown, Unavailable } from "../../domain/errors.ts"
import type { Member, RoutingCore } from "../../exchange/index.ts"
import { guarded as guardedQueues, type Queues } from "../../queues/index.ts"
import { guarded as guardedTopics, type Journal, type PublishDraft, type Topics } from "../../topics/index.ts"
import type { Publications } from "../internal/Publications.ts"

export interface Caller {
  /** The whole name. */
  readonly name: string
  readonly isConnected: () => boolean
  readonly topics: Topics["Service"]
  readonly queues: Queues["Service"]
  /** Does something with so many bytes of its own: while it has too many under way, its socket is not read. */
  readonly admitting: <A, E>(bytes: number, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

export interface CallerSources {
  readonly core: RoutingCore
  readonly journal: Journal["Service"]
  readonly publications: Publications
  readonly topics: Topics["Service"]
  readonly queues: Queues["Service"]
}

/** The topics of whoever is called `name`. */
const topicsOf = ({ journal, publications, topics }: CallerSources, name: string): Topics["Service"] => {
  const publisher = { name, isRealtime: false }
  const publishAll = (drafts: ReadonlyArray<PublishDraft>) =>
    Effect.suspend(() => {
      let ids: ReadonlyArray<string> = []
      const named = (given: ReadonlyArray<string>): void => {
        ids = given
        publications.named(publisher, ids)
      }
      const unknown = () => new OutcomeUnknown({ operation: "publish", message: "the publish was interrupted" })
      return Effect.onExit(journal.publishAll(drafts, named), (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) publications.stored(ids, exit.value)
          else publications.failed(ids, Option.getOrElse(Cause.findErrorOption(exit.cause), unknown))
        }),
      )
    })
  return {
    ...topics,
    publishAll,
    publish: (topic, payload, options) =>
      Effect.map(publishAll([{ ...options, topic, payload }]), ([message]) => message!),
  }
}

export class Callers {
  readonly #sources: CallerSources
  readonly #known = new WeakMap<Member, Caller>()

  constructor(sources: CallerSources) {
    this.#sources = sources
  }

  /** The client of this name, as long as it is connected. */
  get(name: string): Effect.Effect<Caller, Unavailable> {
    return Effect.suspend(() => {
      const member = this.#sources.core.find(name)
      return member === undefined
        ? new Unavailable({ message: `${name} is not connected any more` })
        : Effect.succeed(this.#known.get(member) ?? this.#make(member))
    })
  }

  #make(member: Member): Caller {
    const { grants, name } = member
    const caller: Caller = {
      name,
      isConnected: () => member.isOpen,
      topics: guardedTopics(topicsOf(this.#sources, name), grants),
      queues: guardedQueues(this.#sources.queues, grants),
      admitting: (bytes, effect) =>
        Effect.suspend(() => {
          const { unsettled } = this.#sources.core
          unsettled.add(member, bytes)
          return Effect.ensuring(
            effect,
            Effect.sync(() => unsettled.remove(member, bytes)),
          )
        }),
    }
    this.#known.set(member, caller)
    return caller
  }
}
