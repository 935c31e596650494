/**
 * Rules of form that no formatter or linter knows: what a file may be called, how long it may be, how it begins, and
 * what it must not mention. Each rule is a plain function from a file to one sentence for each place that breaks it.
 */
import { isGenerated, type ProjectFile } from "./project.ts"

export type Rule = (file: ProjectFile) => ReadonlyArray<string>

const linesMax = 400
const columnsMax = 140

const isCode = (path: string): boolean => /\.(ts|js)$/.test(path) && !isGenerated(path)
const isSource = (path: string): boolean => path.startsWith("src/") && isCode(path)

/** The same rule for some files only. */
const where =
  (applies: (path: string) => boolean, rule: Rule): Rule =>
  (file) =>
    applies(file.path) ? rule(file) : []

/** A sentence for each line that the pattern is found in. */
const nowhere =
  (pattern: RegExp, sentence: string): Rule =>
  ({ path, text }) =>
    text.split("\n").flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${sentence}`] : []))

/** What a formatter cannot break: the insides of strings, of templates' text and of regular expressions. */
const withoutLiterals = (line: string): string =>
  line
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g, '""')
    .replace(/(^\s*|[(,=:]\s*)\/(?:[^/\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+\/[a-z]*/g, "$1//")

const isComment = (line: string): boolean => /^\s*(\/\/|\/?\*)/.test(line)

export const nameSaysSomething: Rule = ({ path }) =>
  path.split("/").some((part) => /^(utils?|helpers?|common|misc)(\.|$)/i.test(part))
    ? [`${path} is called by a name that says nothing`]
    : []

export const fileIsShort = where(isCode, ({ path, text }) => {
  const lines = text.trimEnd().split("\n").length
  return lines > linesMax ? [`${path} has ${lines} lines: there are two things in it`] : []
})

/** Long text is left whole where it is one literal; comments can always be broken. */
export const linesAreShort = where(isCode, ({ path, text }) =>
  text.split("\n").flatMap((line, i) => {
    const columns = (isComment(line) ? line : withoutLiterals(line)).length
    return columns > columnsMax ? [`${path}:${i + 1} has ${columns} columns`] : []
  }),
)

export const beginsWithItsPurpose = where(isSource, ({ path, text }) =>
  /^\/\*\*\s+(\*\s+)?[^\s*]/.test(text) ? [] : [`${path} does not begin with what it is for`],
)

export const nothingIsPrinted = where(
  isSource,
  nowhere(/\bconsole\./, "prints: the program's output goes through Output, all else is logged"),
)

export const timeIsGiven = where(
  isSource,
  nowhere(/\bDate\.now\b|\bnew Date\(\)/, "reads the machine's clock: ask Clock, so that tests can set it"),
)

export const nothingIsPutOff = where(isCode, nowhere(/\b(TODO|FIXME|XXX|HACK)\b/, "puts something off"))

export const everyTestRuns = where(
  isCode,
  nowhere(/\b(it|test|describe|live|effect|scoped|prop)\.(only|skip|todo)\b/, "leaves a test out"),
)

export const testsAreFound: Rule = ({ path }) =>
  /\.(test|spec)\.[cm]?[jt]sx?$/.test(path) && !/^test\/.*\.test\.ts$/.test(path)
    ? [`${path} is a test that is never run: tests are test/**/*.test.ts`]
    : []

/** Where one machine has its checkouts, and where it gets its packages from. */
const machines = /(?<![\w.])\/(work|root)\/|\b(registry\.(npmjs|yarnpkg)|npm\.pkg\.github|jfrog|artifactory)\b/i

export const noMachineIsMentioned = nowhere(machines, "mentions one machine's paths or a package registry")

export const lockfileNamesNoHost = where(
  (path) => path === "package-lock.json",
  nowhere(/"resolved":/, "names the host that a package came from"),
)

/** All of them, with what each asks for. */
export const rules: Readonly<Record<string, Rule>> = {
  "files and folders have names that say something": nameSaysSomething,
  [`files have at most ${linesMax} lines`]: fileIsShort,
  [`lines have at most ${columnsMax} columns, literals apart`]: linesAreShort,
  "sources begin with what they are for": beginsWithItsPurpose,
  "sources do not print": nothingIsPrinted,
  "sources do not read the machine's clock": timeIsGiven,
  "nothing is put off in a comment": nothingIsPutOff,
  "no test is left out": everyTestRuns,
  "every test is where tests are looked for": testsAreFound,
  "no file mentions one machine": noMachineIsMentioned,
  "the lockfile names no host": lockfileNamesNoHost,
}
