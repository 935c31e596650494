/**
 * The syntax of the patterns that clients filter names by: the part of regular expressions that means the same
 * everywhere, and that can be matched in time proportional to the text.
 *
 * Characters; `.`; classes, as `[a-z_]`, `[^.]`, `\d \w \s` and their opposites; groups, `(…)` and `(?:…)`; `|`; `* + ?`
 * and `{n}`, `{n,}`, `{n,m}`, greedy or not; `^` and `$` for the ends. Everything else is refused: what looks around or
 * back, boundaries, flags, names of groups.
 */
import * as Result from "effect/Result"

/** The longest pattern, in UTF-16 units, and the largest number in braces. */
export const patternLengthMax = 256
const timesMax = 64

export type Test = (codePoint: number) => boolean

export type Pattern =
  | { readonly type: "one"; readonly test: Test }
  | { readonly type: "start" | "end" }
  | { readonly type: "sequence"; readonly parts: ReadonlyArray<Pattern> }
  | { readonly type: "choice"; readonly parts: ReadonlyArray<Pattern> }
  | { readonly type: "repeat"; readonly part: Pattern; readonly min: number; readonly max: number }

class Malformed {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const code = (character: string): number => character.codePointAt(0)!
const within =
  (from: number, to: number): Test =>
  (at) =>
    at >= from && at <= to
const not =
  (test: Test): Test =>
  (at) =>
    !test(at)
const anyOf =
  (tests: ReadonlyArray<Test>): Test =>
  (at) =>
    tests.some((test) => test(at))

const isDigit = within(code("0"), code("9"))
const isWord = anyOf([isDigit, within(code("a"), code("z")), within(code("A"), code("Z")), (at) => at === code("_")])
const isSpace: Test = (at) => /\s/.test(String.fromCodePoint(at))
const isNewline: Test = (at) => at === code("\n")

const classes: Readonly<Record<string, Test>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
}
const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

/** What an escape stands for: one character, or any of a class. */
const escaped = (character: string | undefined): Test | number => {
  if (character === undefined) throw new Malformed("it ends in a backslash")
  if (Object.hasOwn(classes, character)) return classes[character]!
  if (Object.hasOwn(controls, character)) return controls[character]!
  if (/[A-Za-z0-9]/.test(character)) throw new Malformed(`\\${character} is not among what can be used here`)
  return code(character)
}

class Parser {
  readonly #characters: ReadonlyArray<string>
  #at = 0

  constructor(pattern: string) {
    this.#characters = [...pattern]
  }

  whole(): Pattern {
    const pattern = this.#choice()
    if (this.#at < this.#characters.length) throw new Malformed("a parenthesis is closed that is not open")
    return pattern
  }

  #next(): string | undefined {
    return this.#characters[this.#at]
  }

  #takes(character: string): boolean {
    if (this.#next() !== character) return false
    this.#at++
    return true
  }

  #choice(): Pattern {
    const parts = [this.#sequence()]
    while (this.#takes("|")) parts.push(this.#sequence())
    return parts.length === 1 ? parts[0]! : { type: "choice", parts }
  }

  #sequence(): Pattern {
    const parts: Array<Pattern> = []
    for (let next = this.#next(); next !== undefined && next !== "|" && next !== ")"; next = this.#next()) {
      parts.push(this.#repeated(this.#single()))
    }
    return { type: "sequence", parts }
  }

  #single(): Pattern {
    const character = this.#characters[this.#at++]!
    switch (character) {
      case "(":
        return this.#group()
      case "[":
        return { type: "one", test: this.#class() }
      case ".":
        return { type: "one", test: not(isNewline) }
      case "^":
        return { type: "start" }
      case "$":
        return { type: "end" }
      case "*":
      case "+":
      case "?":
      case "{":
        throw new Malformed(`there is nothing before ${character}`)
      case "\\": {
        const meant = escaped(this.#characters[this.#at++])
        return { type: "one", test: typeof meant === "number" ? (at) => at === meant : meant }
      }
      default: {
        const meant = code(character)
        return { type: "one", test: (at) => at === meant }
      }
    }
  }

  #group(): Pattern {
    if (this.#takes("?") && !this.#takes(":")) throw new Malformed("of groups, only (…) and (?:…) can be used here")
    const inner = this.#choice()
    if (!this.#takes(")")) throw new Malformed("a parenthesis is not closed")
    return inner
  }

  #class(): Test {
    const isNegated = this.#takes("^")
    const tests: Array<Test> = []
    for (let isFirst = true; isFirst || this.#next() !== "]"; isFirst = false) {
      const from = this.#inClass()
      if (typeof from !== "number") {
        tests.push(from)
      } else if (this.#next() === "-" && this.#characters[this.#at + 1] !== "]") {
        this.#at++
        const to = this.#inClass()
        if (typeof to !== "number" || to < from) throw new Malformed("a range goes from a character to a later one")
        tests.push(within(from, to))
      } else {
        tests.push(within(from, from))
      }
    }
    this.#at++
    return isNegated ? not(anyOf(tests)) : anyOf(tests)
  }

  #inClass(): Test | number {
    const character = this.#characters[this.#at++]
    if (character === undefined) throw new Malformed("a bracket is not closed")
    if (character === "[") throw new Malformed("within brackets, [ is written \\[")
    return character === "\\" ? escaped(this.#characters[this.#at++]) : code(character)
  }

  #repeated(part: Pattern): Pattern {
    const [min, max] = this.#times() ?? [1, 1]
    if (min === 1 && max === 1) return part
    // Whether it takes more or less makes no difference to whether it matches.
    this.#takes("?")
    if (this.#times() !== undefined) throw new Malformed("what is repeated is repeated again")
    return { type: "repeat", part, min, max }
  }

  #times(): readonly [min: number, max: number] | undefined {
    if (this.#takes("*")) return [0, Infinity]
    if (this.#takes("+")) return [1, Infinity]
    if (this.#takes("?")) return [0, 1]
    if (this.#next() !== "{") return undefined
    const rest = this.#characters.slice(this.#at, this.#at + 8).join("")
    const braces = /^\{(\d{1,2})(,(\d{0,2}))?\}/.exec(rest)
    const min = Number(braces?.[1])
    const max = braces?.[2] === undefined ? min : braces[3] === "" ? Infinity : Number(braces[3])
    if (braces === null || min > timesMax || (max > timesMax && max !== Infinity) || max < min) {
      throw new Malformed(`braces have one or two numbers up to ${timesMax}, the smaller first`)
    }
    this.#at += braces[0].length
    return [min, max]
  }
}

/** What a pattern means, or what is wrong with it, as a sentence without a full stop. */
export const parse = (pattern: string): Result.Result<Pattern, string> => {
  if (pattern.length > patternLengthMax) return Result.fail(`it is at most ${patternLengthMax} characters long`)
  try {
    return Result.succeed(new Parser(pattern).whole())
  } catch (error) {
    if (error instanceof Malformed) return Result.fail(error.reason)
    throw error
  }
}
