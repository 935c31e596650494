/**
 * Bugs planted on purpose: each an edit of the exchange's own source, in a copy of it. The laws must find every one of
 * them: a suite that finds nothing here would prove nothing elsewhere.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type * as Exchange from "../../src/exchange/index.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Bug {
  /** Under `src`. */
  readonly file: string
  /** What stands there, once, and what stands there instead. */
  readonly edit: readonly [right: string, wrong: string]
}

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
export const plant = async ({
  edit,
  file,
}: Bug): Promise<{ readonly exchange: Planted; readonly dispose: () => void }> => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-planted-"))
  for (const part of ["domain", "access", "exchange"])
    cpSync(join(root, "src", part), join(directory, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  const path = join(directory, file)
  const source = readFileSync(path, "utf8")
  const [before, after, ...more] = source.split(edit[0])
  if (after === undefined || more.length > 0) throw new Error(`${file} does not hold this once: ${edit[0]}`)
  writeFileSync(path, before + edit[1] + after)
  return {
    exchange: (await import(/* @vite-ignore */ join(directory, "exchange/index.ts"))) as Planted,
    dispose: () => rmSync(directory, { recursive: true }),
  }
}
