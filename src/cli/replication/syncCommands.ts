/**
 * The command `sync`, and `doctor resolve`, with their flags and arguments.
 */
import { Argument, Command, Flag } from "effect/cli"
import { at, json, lazily, text } from "../flags.ts"

const peer = (description: string) => text("peer", "URL", description)

const status = Command.make(
  "status",
  {
    all: Flag.Boolean("all").pipe(Flag.withDescription("a line for every log"), Flag.withDefault(false)),
    watch: Flag.Boolean("watch").pipe(
      Flag.withDescription("wait until the node is in step with its peers, and show how far it is"),
      Flag.withDefault(false),
    ),
    peer: peer("only this peer, as --peer of serve names it"),
    topic: text("topic", "FILTER", "only logs of topics that match"),
    at,
    json,
  },
  lazily(async () => (await import("./syncStatus.ts")).syncStatus),
).pipe(Command.withDescription("Show how the node stands with its peers; exit code 1 where something is wrong."))

export const sync = Command.make("sync").pipe(
  Command.withDescription("Nodes that get from each other what they have not."),
  Command.withSubcommands([status]),
)

export const resolve = Command.make(
  "resolve",
  {
    log: Argument.String("LOG").pipe(
      Argument.withDescription("topic@tenant/line/device, as sync status and heads print it"),
    ),
    keep: Flag.Literals("keep", ["local", "peer"]).pipe(
      Flag.withDescription(
        "local: what is here stays; peer: what is here is thrown away from the first message on that differs, for the peer's",
      ),
    ),
    peer: peer("which peer, where the log differs at several"),
    yes: Flag.Boolean("yes").pipe(Flag.withDescription("throw messages away without asking"), Flag.withDefault(false)),
    at,
    json,
  },
  lazily(async () => (await import("./resolve.ts")).resolve),
).pipe(Command.withDescription("Decide what becomes of a log that differs here and at a peer. A node has to run."))
