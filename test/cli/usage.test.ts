import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { Command } from "effect/cli"
import { root } from "../../src/cli/commands.ts"
import * as Environment from "../../src/cli/environment.ts"
import { ExitOnInterrupt } from "../../src/cli/ExitOnInterrupt.ts"
import * as Failure from "../../src/cli/failure.ts"

/** How the command line ends, in this process. */
const failureOf = (args: ReadonlyArray<string>) =>
  Command.runWith(root, { version: "0.0.0" })(args).pipe(
    Effect.provide(Environment.layer),
    Effect.provideService(ExitOnInterrupt, { exitCode: 130 }),
    Effect.exit,
    Effect.map((exit) => (Exit.isFailure(exit) ? Failure.describe(exit.cause) : Option.none())),
  )

describe("a command line that cannot be carried out", () => {
  it.effect.each<readonly [sentence: string, ...args: ReadonlyArray<string>]>([
    ['unknown command "publsh"; did you mean publish? (see millrace --help)', "publsh"],
    ["unknown flag --bus; did you mean --busrt? (see millrace serve --help)", "serve", "--bus", "unix:x"],
    ["unknown flag --jsn; did you mean --json? (see millrace heads --help)", "heads", "--jsn"],
    ["missing argument TOPIC (see millrace publish --help)", "publish"],
    ["missing argument TO (see millrace delete --help)", "delete", "a", "1"],
    ['unexpected argument "c" (see millrace publish --help)', "publish", "a", "b", "c"],
    ["--limit needs a value (see millrace fetch --help)", "fetch", "a", "--limit"],
    ["--limit can be given once (see millrace fetch --help)", "fetch", "a", "--limit", "1", "--limit", "2"],
    ['--limit takes a whole number from 1 on, not "0"', "fetch", "a", "--limit", "0"],
    ['--from takes start, end or an offset from 1 on, not "1.5"', "subscribe", "a", "--from", "1.5"],
    ["--from takes an offset only with one topic: a filter starts at start or end", "subscribe", "a/#", "--from", "3"],
    ['--to takes start, end or a position from 0 on, not "tomorrow"', "cursor", "reset", "a", "--to", "tomorrow"],
    ["a cursor's name must not be empty or blank", "subscribe", "a", "--cursor", " "],
    ["missing argument NAME (see millrace cursor delete --help)", "cursor", "delete"],
    ["--all and --limit exclude each other", "fetch", "a", "--all", "--limit", "1"],
    ['--header takes name=value, not "plain"', "publish", "a", "b", "--header", "plain"],
    ['--header names "x" twice', "publish", "a", "b", "--header", "x=1", "--header", "x=2"],
    ["--key-prefix goes with --lines: for one message use --key", "publish", "a", "b", "--key-prefix", "p"],
    ["a topic must not be empty or blank", "publish", " ", "b"],
    ["a range goes from its first offset to its last, not from 5 to 2", "delete", "a", "5", "2"],
    ['a node is written tenant/line/device, not "me"', "fetch", "a", "--origin", "me"],
    [
      'the address of a node is written grpc://HOST:PORT, or grpcs://HOST:PORT with TLS, not "there"',
      "health",
      "--url",
      "there",
    ],
  ])("%s", ([sentence, ...args]) =>
    Effect.gen(function* () {
      expect(yield* failureOf(args)).toEqual(Option.some({ sentence, exitCode: 2 }))
    }),
  )
})
