/**
 * The command `cursor` and those under it, with their flags and arguments.
 */
import { Argument, Command } from "effect/cli"
import { json, lazily, text, at } from "../flags.ts"

const name = Argument.String("NAME").pipe(Argument.withDescription("a cursor, as list prints it"))

const list = Command.make(
  "list",
  { at, json },
  lazily(async () => (await import("./cursor.ts")).list),
).pipe(Command.withDescription("Print every named cursor with its topic or filter and how far it is behind."))

const reset = Command.make(
  "reset",
  { name, to: text("to", "start|end|POSITION", "where to put it: after this position (default start)"), at },
  lazily(async () => (await import("./cursor.ts")).reset),
).pipe(Command.withDescription("Put a cursor somewhere; whoever holds it ends, and goes on from there next time."))

const remove = Command.make(
  "delete",
  { name, at },
  lazily(async () => (await import("./cursor.ts")).remove),
).pipe(Command.withDescription("Delete a cursor; whoever holds it ends."))

/** The command `cursor`. */
export const cursor = Command.make("cursor").pipe(
  Command.withDescription("Named cursors: how far consumers have got, kept by the node."),
  Command.withSubcommands([list, reset, remove]),
)
