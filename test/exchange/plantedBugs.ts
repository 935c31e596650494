/**
 * Bugs planted on purpose: each an edit of the exchange's own source, in a copy of it. The laws must find every one of
 * them: a suite that finds nothing here would prove nothing elsewhere.
 */
import type * as Exchange from "../../src/exchange/index.ts"
import { type Bug, plantIn } from "../support/plantedSource.ts"

const routes = "exchange/internal/Routes.ts"
const core = "exchange/RoutingCore.ts"

export const bugs: Readonly<Record<string, Bug>> = {
  "a way that is remembered after an unsubscription": {
    file: routes,
    edit: ["this.#filters.remove(filter, member)\n    this.#byTopic.clear()", "this.#filters.remove(filter, member)"],
  },
  "a way that is remembered after somebody has joined": {
    file: routes,
    edit: ["joined(): void {\n    this.#byMask.clear()", "joined(): void {"],
  },
  "exclusions that are ignored": {
    file: routes,
    edit: ["matching.filter((member) => !excluded.has(member))", "matching"],
  },
  "a copy for each filter that matches": {
    file: "domain/TopicTrie.ts",
    edit: ["const found = new Set<A>()", "const found = Object.assign([] as A[], { add(one: A) { this.push(one) } })"],
  },
  "a filter that takes its neighbour with it": {
    file: "domain/TopicTrie.ts",
    edit: ["    else node.values.delete(value)", "    node.values.delete(value)"],
  },
  "filters that stay when their client has left": {
    file: routes,
    edit: ["for (const filter of member.filters) this.#filters.remove(filter, member)", ""],
  },
  "a secondary that outlives its primary": {
    file: core,
    edit: ['if (secondary.isOpen) this.#takeOut(secondary, "primaryGone")', "void secondary"],
  },
  "a sender that does not get its own broadcast": {
    file: core,
    edit: ["const to = this.#routes.byMask(mask)", "const to = this.#routes.byMask(mask).filter((to) => to !== from)"],
  },
  "an answer before the routing": {
    file: core,
    edit: [
      "    this.deliver(from.name, topic, payload, isLent, isRealtime)\n",
      "    queueMicrotask(() => this.deliver(from.name, topic, payload, isLent, isRealtime))\n",
    ],
  },
  "a recipient without room who ends the fan-out": {
    file: core,
    edit: ["i++) this.#offer(to[i]!, frame)", "i++) if (!this.#offer(to[i]!, frame)) break"],
  },
  "who leaves in the middle of a fan-out takes its secondaries out of it": {
    file: core,
    edit: ["if (this.#isFanningOut) {", "if (false) {"],
  },
  "changes that are told in the middle of others": {
    file: core,
    edit: ["if (this.#isTelling) return", ""],
  },
  "what is lent is kept": {
    file: "exchange/LiveFrame.ts",
    edit: ["this.#own = isLent ? undefined : payload", "this.#own = payload"],
  },
  "who is denied sends all the same": {
    file: core,
    edit: ["return from.isOpen && from.grants.allows(verb, object)", "return from.isOpen"],
  },
  "who has left goes on sending": {
    file: core,
    edit: ["return from.isOpen && from.grants.allows(verb, object)", "return from.grants.allows(verb, object)"],
  },
  "a publication for one receiver that all get": {
    file: core,
    edit: [".filter((member) => member.primaryName === receiver)", ""],
  },
  "a realtime frame that waits for company": {
    file: core,
    edit: ["if (frame.isRealtime) member.outlet.flush()\n    else this.touch(member)", "this.touch(member)"],
  },
  "one subscription more than there may be": {
    file: routes,
    edit: [">= this.#filtersMax", "> this.#filtersMax"],
  },
  "a name that is taken by force from a secondary": {
    file: core,
    edit: ["&& !holder!.isSecondary ", ""],
  },
}

export type Planted = typeof Exchange

/** The exchange with a bug; `dispose` when it is no longer needed. */
export const plant = async (bug: Bug): Promise<{ readonly exchange: Planted; readonly dispose: () => void }> => {
  const { dispose, load } = plantIn(["domain", "access", "exchange"], bug)
  return { exchange: (await load("exchange/index.ts")) as Planted, dispose }
}
