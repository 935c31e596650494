/**
 * Parameters as people write them: `key=value` each. A value is JSON where it parses as such, else a text: `n=1`,
 * `isUrgent=true`, `tags=["a","b"]`, `name=Ada Lovelace`; `id="7"` is a text.
 */
import * as Result from "effect/Result"

const int64 = { min: -(2n ** 63n), max: 2n ** 64n - 1n }

/** JSON would round an integer beyond 2⁵³, which is taken as it is up to 64 bits. */
const integerOf = (text: string): bigint | undefined => {
  if (!/^-?[1-9]\d{15,19}$/.test(text)) return undefined
  const value = BigInt(text)
  return value >= int64.min && value <= int64.max ? value : undefined
}

const valueOf = (text: string): unknown => {
  const integer = integerOf(text)
  if (integer !== undefined) return integer
  try {
    return JSON.parse(text)
  } catch {
    // No JSON: a text, that needs no quotes.
    return text
  }
}

/** An object for a call; undefined where there are no parameters. Or what is wrong, as a sentence without a full stop. */
export const parse = (words: ReadonlyArray<string>): Result.Result<Record<string, unknown> | undefined, string> => {
  if (words.length === 0) return Result.succeed(undefined)
  const params: Record<string, unknown> = Object.create(null)
  for (const word of words) {
    const end = word.indexOf("=")
    if (end < 1) return Result.fail(`a parameter is written key=value, not ${JSON.stringify(word)}`)
    const key = word.slice(0, end)
    if (key in params) return Result.fail(`the parameter ${JSON.stringify(key)} is given twice`)
    params[key] = valueOf(word.slice(end + 1))
  }
  return Result.succeed(params)
}
