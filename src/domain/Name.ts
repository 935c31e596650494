/**
 * The rule that every name of the bus obeys, whatever it names: it says something, it survives a trip through
 * UTF-8 and through C strings, and it is bounded.
 */
import { byteLength } from "./utf8.ts"

/**
 * What is wrong with a name, as a sentence without a full stop, or `undefined` where nothing is.
 *
 * @param what the thing named, as it should appear in the sentence: `topic`, `tenant` …
 * @param bytesMax the largest length of its UTF-8 form
 */
export const nameProblem = (what: string, name: string, bytesMax: number): string | undefined => {
  if (name.trim() === "") return `a ${what} must not be empty or blank`
  if (name.includes("\0")) return `a ${what} must not contain NUL`
  if (!name.isWellFormed()) return `a ${what} must be well-formed Unicode`
  // A UTF-16 unit is at most three bytes of UTF-8: short names need no counting.
  if (name.length * 3 > bytesMax && byteLength(name) > bytesMax) {
    return `a ${what} is at most ${bytesMax.toLocaleString("en")} bytes long, this one has ${byteLength(name).toLocaleString("en")}`
  }
  return undefined
}
