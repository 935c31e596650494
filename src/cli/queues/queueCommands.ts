/**
 * The command `queue` and those under it, with their flags and arguments.
 */
import * as Effect from "effect/Effect"
import { Argument, Command, Flag } from "effect/cli"
import { ExitOnInterrupt } from "../ExitOnInterrupt.ts"
import { json, lazily, text, at } from "../flags.ts"

const name = Argument.String("QUEUE").pipe(Argument.withDescription("a queue, such as mails"))
const id = Argument.String("ID").pipe(Argument.withDescription("the item's id, as peek --json prints it"))
const attemptsMax = (otherwise: string) =>
  text("attempts-max", "N", `failed attempts after which the item moves to QUEUE.dead (${otherwise})`)

const enqueue = Command.make(
  "enqueue",
  {
    queue: name,
    payload: Argument.String("PAYLOAD").pipe(
      Argument.withDescription("the item; - or nothing reads standard input"),
      Argument.optional,
    ),
    topic: text("topic", "TOPIC", "what the item is about; else the queue's name"),
    target: text("target", "tenant/line/device", "the node that the item is for"),
    headers: Flag.String("header").pipe(
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription("a header; repeatable"),
      Flag.atLeast(0),
    ),
    at,
    json,
  },
  lazily(async () => (await import("./queue.ts")).enqueue),
).pipe(Command.withDescription("Add an item at the end, and wait until it is stored."))

const peek = Command.make(
  "peek",
  { queue: name, at, json },
  lazily(async () => (await import("./queue.ts")).peek),
).pipe(Command.withDescription("Print the front, which stays there."))

const ack = Command.make(
  "ack",
  { queue: name, id, at },
  lazily(async () => (await import("./queue.ts")).ack),
).pipe(Command.withDescription("Remove the front, if it has this id."))

const reject = Command.make(
  "reject",
  { queue: name, id, attemptsMax: attemptsMax("else never"), reason: text("reason", "TEXT", "why"), at },
  lazily(async () => (await import("./queue.ts")).reject),
).pipe(Command.withDescription("Count a failed attempt at the front, if it has this id."))

const take = Command.make(
  "take",
  {
    queue: name,
    exec: text("exec", "COMMAND", "a shell command for each item, its payload on standard input; exit 0 means done"),
    attemptsMax: attemptsMax("default 10"),
    limit: text("limit", "N", "end after N items that are done, or dead"),
    at,
    json,
  },
  (input) =>
    ExitOnInterrupt.cleanly(
      Effect.flatMap(
        Effect.promise(() => import("./queueTake.ts")),
        (handler) => handler.take(input),
      ),
    ),
).pipe(Command.withDescription("Print items as they come, in order, and acknowledge each; or run a command for each."))

const list = Command.make(
  "list",
  { at, json },
  lazily(async () => (await import("./queue.ts")).list),
).pipe(Command.withDescription("Print every queue with the number of its items."))

const redrive = Command.make(
  "redrive",
  { queue: name, limit: text("limit", "N", "items at most; else all"), at },
  lazily(async () => (await import("./queue.ts")).redrive),
).pipe(Command.withDescription("Move items from QUEUE.dead back to the end of QUEUE."))

/** The command `queue`; interrupting `take` is its proper end. */
export const queue: Command.Command<"queue", {}, {}, unknown, ExitOnInterrupt> = Command.make("queue").pipe(
  Command.withDescription("Work queues: first in, first out, each item kept until it is done."),
  Command.withSubcommands([enqueue, peek, ack, reject, take, list, redrive]),
)
