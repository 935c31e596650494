/**
 * The commands of the live plane, with their flags and arguments.
 */
import * as Effect from "effect/Effect"
import { Argument, Command, Flag } from "effect/cli"
import { ExitOnInterrupt } from "../ExitOnInterrupt.ts"
import { json, lazily, liveAt, text } from "../flags.ts"

const name = text(
  "name",
  "NAME",
  "the name to be known by, such as plant1.panel; else MILLRACE_NAME, or one that is made up",
)
const target = Argument.String("NAME").pipe(Argument.withDescription("a client, such as plant1.pump"))
const payload = Argument.String("PAYLOAD").pipe(
  Argument.withDescription("the message; - or nothing reads standard input"),
  Argument.optional,
)

/** How a message is sent. */
export const qos = Flag.Literals("qos", ["processed", "no"]).pipe(
  Flag.withMetavar("QOS"),
  Flag.withDescription(
    "processed waits until it is with whom it is for, and fails where it is not (default); no does not",
  ),
  Flag.optional,
)
export const realtime = Flag.Boolean("realtime").pipe(
  Flag.withDescription("do not let it wait for company"),
  Flag.withDefault(false),
)

const listen = Command.make(
  "listen",
  {
    name,
    topics: Flag.String("topic").pipe(
      Flag.withMetavar("FILTER"),
      Flag.withDescription(
        "also what is published on these topics: + for any one part, a final # for any rest; repeatable",
      ),
      Flag.atLeast(0),
    ),
    limit: text("limit", "N", "end after N messages"),
    at: liveAt,
    json,
  },
  (input) =>
    ExitOnInterrupt.cleanly(
      Effect.flatMap(
        Effect.promise(() => import("./listen.ts")),
        (handler) => handler.listen(input),
      ),
    ),
).pipe(Command.withDescription("Be a client of the live plane, and print what comes for it."))

const send = Command.make(
  "send",
  { target, payload, name, qos, realtime, at: liveAt },
  lazily(async () => (await import("./send.ts")).send),
).pipe(Command.withDescription("Send a message to a client that is connected now."))

const broadcast = Command.make(
  "broadcast",
  {
    mask: Argument.String("MASK").pipe(
      Argument.withDescription("names of clients: ? for any one part, a final * for any rest, as in plant1.*"),
    ),
    payload,
    name,
    qos,
    realtime,
    at: liveAt,
  },
  lazily(async () => (await import("./send.ts")).broadcast),
).pipe(Command.withDescription("Send a message to all clients whose names match."))

const notify = Command.make(
  "notify",
  { target, payload, name, qos, realtime, at: liveAt },
  lazily(async () => (await import("./send.ts")).notify),
).pipe(Command.withDescription("Notify a client, which handles calls: a call without a method or an answer."))

const call = Command.make(
  "call",
  {
    target,
    method: Argument.String("METHOD").pipe(Argument.withDescription("what is asked for, such as stats")),
    params: Argument.String("KEY=VALUE").pipe(
      Argument.withDescription("parameters; a value that is JSON is taken as such, any other is a text"),
      Argument.variadic(),
    ),
    timeout: text("timeout", "TIME", "how long to wait for the answer, such as 500ms or 1m (default 5s)"),
    raw: Flag.Boolean("raw").pipe(
      Flag.withDescription("print the bytes of the answer as they came"),
      Flag.withDefault(false),
    ),
    name,
    realtime,
    at: liveAt,
  },
  lazily(async () => (await import("./call.ts")).call),
).pipe(Command.withDescription("Call a method of a client, and print its answer as JSON."))

const clients = Command.make(
  "clients",
  {
    filter: text("filter", "REGEX", "only those in whose names this is found"),
    name,
    at: liveAt,
    json,
  },
  lazily(async () => (await import("./clients.ts")).clients),
).pipe(Command.withDescription("List the clients that are connected to the live plane."))

const benchExchange = Command.make(
  "exchange",
  {
    workers: text("workers", "N", "pairs of clients, each with connections of its own (default 4)"),
    payloadSize: text("payload-size", "BYTES", "size of each message (default 100)"),
    time: text("time", "TIME", "how long each measurement lasts, such as 500ms or 5s (default 1s)"),
    inFlight: text("in-flight", "N", "calls under way at a time, of each worker (default 64)"),
    at: liveAt,
    json,
  },
  lazily(async () => (await import("./bench.ts")).benchExchange),
).pipe(Command.withDescription("Measure how fast the live plane of a node is, for clients in one process."))

const bench = Command.make("bench").pipe(
  Command.withDescription("Measure a node from outside."),
  Command.withSubcommands([benchExchange]),
)

export const liveCommands = [listen, send, broadcast, call, notify, clients, bench] as const
