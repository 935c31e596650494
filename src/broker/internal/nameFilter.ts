/**
 * Matches names against a pattern that a stranger has sent. The pattern becomes an automaton, and all the ways through
 * it are gone at the same time, character by character: no pattern makes that slower than its own length, as some do with
 * JavaScript's regular expressions. And the steps of a whole search are counted.
 */
import * as Result from "effect/Result"
import { parse, type Pattern, type Test } from "./namePattern.ts"

/** The largest automaton, and the steps that one search may take: some tens of milliseconds. */
const statesMax = 2000
const stepsMax = 5_000_000

type State =
  | { readonly type: "one"; readonly test: Test; readonly next: number }
  | { readonly type: "start" | "end"; readonly next: number }
  | { readonly type: "both"; first: number; second: number }
  | { readonly type: "match" }

class Automaton {
  readonly states: Array<State> = [{ type: "match" }]

  /** The state from which the pattern leads to `next`. Built from its end to its beginning. */
  add(pattern: Pattern, next: number): number {
    switch (pattern.type) {
      case "one":
        return this.#state({ type: "one", test: pattern.test, next })
      case "start":
      case "end":
        return this.#state({ type: pattern.type, next })
      case "sequence":
        return pattern.parts.reduceRight((after, part) => this.add(part, after), next)
      case "choice":
        return pattern.parts
          .map((part) => this.add(part, next))
          .reduceRight((second, first) => this.#state({ type: "both", first, second }))
      case "repeat":
        return this.#repeat(pattern.part, pattern.min, pattern.max, next)
    }
  }

  #repeat(part: Pattern, min: number, max: number, next: number): number {
    let at = next
    if (max === Infinity) {
      const again: State = { type: "both", first: next, second: next }
      at = this.#state(again)
      again.first = this.add(part, at)
    } else {
      for (let times = min; times < max; times++) {
        at = this.#state({ type: "both", first: this.add(part, at), second: next })
      }
    }
    for (let times = 0; times < min; times++) at = this.add(part, at)
    return at
  }

  #state(state: State): number {
    if (this.states.length === statesMax) throw new TooLarge()
    return this.states.push(state) - 1
  }
}

class TooLarge extends Error {}

/** A search among many names, which takes so many steps and no more. */
export class NameFilter {
  readonly #states: ReadonlyArray<State>
  readonly #first: number
  /** By state, when it was reached last. */
  readonly #reachedAt: Int32Array
  #moment = 0
  #stepsLeft = stepsMax

  private constructor(states: ReadonlyArray<State>, first: number) {
    this.#states = states
    this.#first = first
    this.#reachedAt = new Int32Array(states.length)
  }

  /** The filter, or what is wrong with it, as a sentence without a full stop. */
  static make(pattern: string): Result.Result<NameFilter, string> {
    const parsed = parse(pattern)
    if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
    const automaton = new Automaton()
    try {
      const first = automaton.add(parsed.success, 0)
      return Result.succeed(new NameFilter(automaton.states, first))
    } catch (error) {
      if (error instanceof TooLarge) return Result.fail("it repeats too much")
      throw error
    }
  }

  /** Whether the pattern is found anywhere in the name; undefined where the search has taken too long. */
  finds(name: string): boolean | undefined {
    let reached: Array<number> = []
    let at = 0
    while (true) {
      // It may begin here too.
      this.#moment++
      const now: Array<number> = []
      const isEnd = at === name.length
      for (const state of reached) if (this.#reach(state, at === 0, isEnd, now)) return true
      if (this.#reach(this.#first, at === 0, isEnd, now)) return true
      this.#stepsLeft -= now.length + 1
      if (this.#stepsLeft < 0) return undefined
      if (isEnd) return false
      const character = name.codePointAt(at)!
      at += character > 0xffff ? 2 : 1
      reached = []
      for (const number of now) {
        const state = this.#states[number]!
        if (state.type === "one" && state.test(character)) reached.push(state.next)
      }
    }
  }

  /** All states that are reached without a character. Whether the end is among them. */
  #reach(from: number, isStart: boolean, isEnd: boolean, now: Array<number>): boolean {
    const left = [from]
    for (let number = left.pop(); number !== undefined; number = left.pop()) {
      if (this.#reachedAt[number] === this.#moment) continue
      this.#reachedAt[number] = this.#moment
      now.push(number)
      const state = this.#states[number]!
      if (state.type === "match") return true
      if (state.type === "both") left.push(state.second, state.first)
      else if ((state.type === "start" && isStart) || (state.type === "end" && isEnd)) left.push(state.next)
    }
    return false
  }
}
