/**
 * Who gets what: the filters and exclusions of the clients that are connected, and the ways that they and their names
 * give, remembered until something changes.
 *
 * A filter counts once however it is spelled (`LiveTopic.canonical`).
 */
import * as LiveTopic from "../../domain/LiveTopic.ts"
import * as NameMask from "../../domain/NameMask.ts"
import { TopicTrie } from "../../domain/TopicTrie.ts"
import type { Member } from "../Member.ts"

/** How many ways are remembered, by topic and by mask. */
const rememberedMax = 4096

type Route = ReadonlyArray<Member>

export class Routes {
  /** By whole name. */
  readonly #members: ReadonlyMap<string, Member>
  readonly #filters: TopicTrie<Member> = new TopicTrie("live")
  readonly #exclusions: TopicTrie<Member> = new TopicTrie("live")
  #exclusionCount = 0
  readonly #byTopic: Map<string, Route> = new Map()
  readonly #byMask: Map<string, Route> = new Map()
  readonly #filtersMax: number
  readonly #filtered: (filter: string, isMore: boolean) => void

  /** @param filtered told of each filter that a client has more or less */
  constructor(
    members: ReadonlyMap<string, Member>,
    filtersMax: number,
    filtered: (filter: string, isMore: boolean) => void,
  ) {
    this.#members = members
    this.#filtersMax = filtersMax
    this.#filtered = filtered
  }

  /** Whether it is there now; false where the client has as many filters and exclusions as it may. */
  subscribe(member: Member, spelled: string): boolean {
    const filter = LiveTopic.canonical(spelled)
    if (member.filters.has(filter)) return true
    if (this.#isFull(member)) return false
    member.filters.add(filter)
    this.#filters.add(filter, member)
    this.#byTopic.clear()
    this.#filtered(filter, true)
    return true
  }

  unsubscribe(member: Member, spelled: string): void {
    const filter = LiveTopic.canonical(spelled)
    if (!member.filters.delete(filter)) return
    this.#filters.remove(filter, member)
    this.#byTopic.clear()
    this.#filtered(filter, false)
  }

  /** As `subscribe`. */
  exclude(member: Member, spelled: string): boolean {
    const filter = LiveTopic.canonical(spelled)
    if (member.exclusions.has(filter)) return true
    if (this.#isFull(member)) return false
    member.exclusions.add(filter)
    this.#exclusions.add(filter, member)
    this.#exclusionCount++
    this.#byTopic.clear()
    return true
  }

  include(member: Member, spelled: string): void {
    const filter = LiveTopic.canonical(spelled)
    if (!member.exclusions.delete(filter)) return
    this.#exclusions.remove(filter, member)
    this.#exclusionCount--
    this.#byTopic.clear()
  }

  /** A client has joined. */
  joined(): void {
    this.#byMask.clear()
  }

  /** A client has left: nothing leads to it any more. */
  left(member: Member): void {
    for (const filter of member.filters) this.#filters.remove(filter, member)
    for (const filter of member.exclusions) this.#exclusions.remove(filter, member)
    this.#exclusionCount -= member.exclusions.size
    const filters = [...member.filters]
    member.filters.clear()
    member.exclusions.clear()
    this.#byTopic.clear()
    this.#byMask.clear()
    for (const filter of filters) this.#filtered(filter, false)
  }

  /** Who gets a publication: each once, however many of its filters match. */
  byTopic(topic: string): Route {
    const known = this.#byTopic.get(topic)
    if (known !== undefined) return known
    const matching = this.#filters.match(topic)
    const excluded = this.#exclusionCount > 0 ? new Set(this.#exclusions.match(topic)) : undefined
    const route = excluded === undefined ? matching : matching.filter((member) => !excluded.has(member))
    remember(this.#byTopic, topic, route)
    return route
  }

  /** Who gets a broadcast. */
  byMask(mask: string): Route {
    const known = this.#byMask.get(mask)
    if (known !== undefined) return known
    const route: Array<Member> = []
    if (NameMask.hasWildcard(mask)) {
      const matches = NameMask.matcher(mask)
      for (const member of this.#members.values()) if (matches(member.name)) route.push(member)
    } else {
      const member = this.#members.get(mask)
      if (member !== undefined) route.push(member)
    }
    remember(this.#byMask, mask, route)
    return route
  }

  /** Whether nothing is left of any filter or exclusion. */
  get isEmpty(): boolean {
    return this.#filters.isEmpty && this.#exclusions.isEmpty && this.#exclusionCount === 0
  }

  #isFull(member: Member): boolean {
    return member.filters.size + member.exclusions.size >= this.#filtersMax
  }
}

const remember = (routes: Map<string, Route>, key: string, route: Route): void => {
  if (routes.size >= rememberedMax) routes.clear()
  routes.set(key, route)
}
