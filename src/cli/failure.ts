/**
 * How a command that did not succeed ends: one plain sentence for stderr, and an exit code. 1 means that it failed, 2
 * that it was called wrongly.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { CliError } from "effect/cli"
import { Unavailable } from "../domain/errors.ts"
import { redact } from "../node/StorageSetting.ts"

export interface Failure {
  readonly sentence: string
  readonly exitCode: 1 | 2
}

/** Errors that a different command line would avoid. */
const usageTags: ReadonlySet<string> = new Set([
  "UsageError",
  "ConfigInvalid",
  "InvalidArgument",
  "CursorInvalid",
  "CursorMismatch",
])

const oneLine = (text: string): string => redact(text.replace(/\s*\n\s*/g, " ").trim())

/** Where nothing answers, there is most likely no node yet. */
const hint = (error: Error): string =>
  error instanceof Unavailable && /^no node answers at (?!.*(?:certificate|TLS))/s.test(error.message)
    ? `${error.message} (start a node with: millrace serve)`
    : error.message

const suggestion = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : `; did you mean ${suggestions.join(" or ")}?`

const usageSentence = (error: CliError.NonShowHelpErrors): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `unknown flag ${error.option}${suggestion(error.suggestions)}`
    case "UnknownSubcommand":
      return `unknown command ${JSON.stringify(error.subcommand)}${suggestion(error.suggestions)}`
    case "MissingArgument":
      return `missing argument ${error.argument}`
    case "MissingOption":
      return `missing flag --${error.option}`
    case "UnexpectedArgument":
      return `unexpected argument ${error.arguments.map((argument) => JSON.stringify(argument)).join(", ")}`
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : error.option
      if (error.value.endsWith(" occurrences")) return `${name} can be given once`
      return error.value === ""
        ? `${name} needs a value`
        : `${name} takes ${error.expected}, not ${JSON.stringify(error.value)}`
    }
    default:
      return error.message
  }
}

/** What is optional for a library, and needed here. */
const missingPackage = (error: Error): string | undefined =>
  "code" in error && error.code === "ERR_MODULE_NOT_FOUND"
    ? /^Cannot find package '([^']+)'/.exec(error.message)?.[1]
    : undefined

/** A failure's sentence and exit code; none where help was asked for and given. */
export const describe = (cause: Cause.Cause<unknown>): Option.Option<Failure> => {
  const error = Option.getOrElse(Cause.findErrorOption(cause), () => Cause.squash(cause))
  if (CliError.isCliError(error) && error._tag === "ShowHelp") {
    const first = error.errors[0]
    if (first === undefined) return Option.none()
    const help = `${error.commandPath.join(" ")} --help`
    return Option.some({ sentence: oneLine(`${usageSentence(first)} (see ${help})`), exitCode: 2 })
  }
  if (!Predicate.isError(error)) return Option.some({ sentence: oneLine(String(error)), exitCode: 1 })
  const needed = missingPackage(error)
  if (needed !== undefined) {
    return Option.some({ sentence: `the package ${needed} is needed: npm install ${needed}`, exitCode: 1 })
  }
  const isUsage = "_tag" in error && Predicate.isString(error._tag) && usageTags.has(error._tag)
  const isExpected = "_tag" in error || CliError.isCliError(error)
  return Option.some({
    sentence: oneLine(isExpected ? hint(error) : `unexpected failure: ${error.message}`),
    exitCode: isUsage ? 2 : 1,
  })
}
