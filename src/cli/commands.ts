/**
 * The commands with their flags and arguments. What a command does is loaded when it is called: `publish` has no use
 * for a database, nor `serve` for reading lines.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Argument, Command, Completions, Flag } from "effect/cli"
import { type SettingName, settings } from "../node/NodeConfig.ts"
import { ExitOnInterrupt } from "./ExitOnInterrupt.ts"
import { json, lazily, text, at } from "./flags.ts"
import { cursor } from "./cursors/cursorCommands.ts"
import * as Output from "./io/Output.ts"
import { liveCommands, qos, realtime } from "./live/liveCommands.ts"
import { queue } from "./queues/queueCommands.ts"
import { resolve, sync } from "./replication/syncCommands.ts"

const origin = (whose: string) => text("origin", "tenant/line/device", `only messages of this node; else ${whose}`)
const topic = Argument.String("TOPIC").pipe(Argument.withDescription("a topic, such as orders/eu"))

const setting = (name: SettingName) => {
  const { about, takes, initial } = settings[name]
  return text(name, "VALUE", `${about}; takes ${takes} (default ${initial})`)
}
const settingList = (name: "busrt" | "ws-origin" | "durable" | "peer") => {
  const { about, takes, initial } = settings[name]
  const otherwise = initial.length === 0 ? "none" : initial.join(" ")
  return Flag.String(name).pipe(
    Flag.withMetavar("VALUE"),
    Flag.withDescription(`${about}; takes ${takes} (default ${otherwise})`),
    Flag.atLeast(0),
  )
}
const settingSwitch = (name: "force-register" | "heal" | "insecure" | "json") =>
  Flag.Boolean(name).pipe(Flag.withDescription(settings[name].about), Flag.optional)

const serve = Command.make(
  "serve",
  {
    node: setting("node"),
    data: setting("data"),
    storage: setting("storage"),
    durability: setting("durability"),
    "max-message": setting("max-message"),
    grpc: setting("grpc"),
    busrt: settingList("busrt"),
    "ws-origin": settingList("ws-origin"),
    durable: settingList("durable"),
    "force-register": settingSwitch("force-register"),
    "queue-size": setting("queue-size"),
    timeout: setting("timeout"),
    "control-fifo": setting("control-fifo"),
    peer: settingList("peer"),
    "sync-interval": setting("sync-interval"),
    "sync-batch": setting("sync-batch"),
    heal: settingSwitch("heal"),
    "heal-wait": setting("heal-wait"),
    "max-connections": setting("max-connections"),
    "max-streams": setting("max-streams"),
    "keep-alive": setting("keep-alive"),
    admin: setting("admin"),
    drain: setting("drain"),
    "stall-after": setting("stall-after"),
    otlp: setting("otlp"),
    log: setting("log"),
    "log-level": setting("log-level"),
    "tls-cert": setting("tls-cert"),
    "tls-key": setting("tls-key"),
    "tls-client-ca": setting("tls-client-ca"),
    "peer-tls-ca": setting("peer-tls-ca"),
    "peer-tls-cert": setting("peer-tls-cert"),
    "peer-tls-key": setting("peer-tls-key"),
    "peer-tls-domain": setting("peer-tls-domain"),
    access: setting("access"),
    insecure: settingSwitch("insecure"),
    json: settingSwitch("json"),
    config: text("config", "FILE", "JSON file of settings, under the names of the flags"),
    printConfig: Flag.Boolean("print-config").pipe(
      Flag.withDescription("print the settings that hold, and end"),
      Flag.withDefault(false),
    ),
  },
  ({ printConfig, ...given }) =>
    Effect.gen(function* () {
      const flags: Record<string, string | ReadonlyArray<string>> = {}
      for (const [name, value] of Object.entries(given)) {
        const written: Option.Option<string | boolean> | ReadonlyArray<string> = value
        if (!Option.isOption(written)) {
          if (written.length > 0) flags[name] = written
        } else if (Option.isSome(written)) {
          flags[name] = String(written.value)
        }
      }
      const handler = yield* Effect.promise(() => import("./node/serve.ts"))
      yield* ExitOnInterrupt.cleanly(handler.serve({ flags, printConfig }))
    }),
).pipe(
  Command.withDescription(
    "Run a node. Flags win over MILLRACE_* variables of the same names, these over the file of --config.",
  ),
)

const publish = Command.make(
  "publish",
  {
    topic,
    payload: Argument.String("PAYLOAD").pipe(
      Argument.withDescription("the message; - or nothing reads standard input"),
      Argument.optional,
    ),
    headers: Flag.String("header").pipe(
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription("a header; repeatable"),
      Flag.atLeast(0),
    ),
    key: text("key", "KEY", "makes the publish repeatable: the same key and content is stored once"),
    lines: Flag.Boolean("lines").pipe(
      Flag.withDescription("each line of standard input is a message"),
      Flag.withDefault(false),
    ),
    keyPrefix: text("key-prefix", "P", "with --lines: line n has the key P:n, and is repeated when the node goes away"),
    live: Flag.Boolean("live").pipe(
      Flag.withDescription("on the live plane: to who listens now, and stored only where the node's --durable says so"),
      Flag.withDefault(false),
    ),
    name: text("name", "NAME", "with --live: the name to be known by; else MILLRACE_NAME, or one that is made up"),
    qos,
    realtime,
    at,
    json,
  },
  lazily(async () => (await import("./topics/publish.ts")).publish),
).pipe(Command.withDescription("Publish a message, and wait until it is stored."))

const subscribe = Command.make(
  "subscribe",
  {
    filter: Argument.String("TOPIC").pipe(
      Argument.withDescription("a topic, or a filter: + for any one part, a final # for any rest"),
    ),
    origin: origin("everybody's"),
    from: text(
      "from",
      "start|end|N",
      "where to begin, or a new cursor: N is an offset, of this node's log unless --origin says else (default end, with --cursor start)",
    ),
    cursor: text("cursor", "NAME", "go on where this name was before, and keep how far it gets"),
    takeOver: Flag.Boolean("take-over").pipe(
      Flag.withDescription("with --cursor: take it from whoever holds it, who then ends"),
      Flag.withDefault(false),
    ),
    limit: text("limit", "N", "end after N messages"),
    at,
    json,
  },
  (input) =>
    ExitOnInterrupt.cleanly(
      Effect.flatMap(
        Effect.promise(() => import("./topics/subscribe.ts")),
        (handler) => handler.subscribe(input),
      ),
    ),
).pipe(Command.withDescription("Print what is stored, then what comes, each message once and in order."))

const fetch = Command.make(
  "fetch",
  {
    topic,
    origin: origin("of the node that answers"),
    from: text("from", "N", "first offset (default 1)"),
    limit: text("limit", "N", "messages at most (default 100)"),
    all: Flag.Boolean("all").pipe(Flag.withDescription("all that is stored now"), Flag.withDefault(false)),
    at,
    json,
  },
  lazily(async () => (await import("./topics/fetch.ts")).fetch),
).pipe(Command.withDescription("Print stored messages of one log."))

const heads = Command.make(
  "heads",
  { at, json },
  lazily(async () => (await import("./topics/heads.ts")).heads),
).pipe(Command.withDescription("Print every log with the offset of its last message."))

const deleteRange = Command.make(
  "delete",
  {
    topic,
    from: Argument.String("FROM").pipe(Argument.withDescription("first offset")),
    to: Argument.String("TO").pipe(Argument.withDescription("last offset")),
    at,
    json,
  },
  lazily(async () => (await import("./topics/delete.ts")).deleteRange),
).pipe(Command.withDescription("Delete the messages of a range; their offsets stay."))

const health = Command.make(
  "health",
  { at, json },
  lazily(async () => (await import("./node/health.ts")).health),
).pipe(Command.withDescription("Say which node answers."))

const ready = Command.make(
  "ready",
  { at, json },
  lazily(async () => (await import("./node/health.ts")).ready),
).pipe(Command.withDescription("Say whether the node can read and write now."))

const storeConfig = text(
  "config",
  "FILE",
  "the settings of the node whose store it is; else MILLRACE_CONFIG, MILLRACE_STORAGE",
)

const doctor = Command.make(
  "doctor",
  {
    path: Argument.String("PATH").pipe(
      Argument.withDescription(
        "a database, a data directory, or a storage as in serve (default ./millrace-data, else the node of --url)",
      ),
      Argument.optional,
    ),
    at,
    config: storeConfig,
    json,
  },
  lazily(async () => (await import("./store/doctor.ts")).doctor),
).pipe(
  Command.withDescription("Examine a store, whether a node runs on it or not; nothing is changed."),
  Command.withSubcommands([resolve]),
)

const stats = Command.make(
  "stats",
  {
    interval: text("interval", "TIME", "how often, such as 500ms or 5s (default 1s)"),
    once: Flag.Boolean("once").pipe(
      Flag.withDescription("look for one interval, print the table, and end"),
      Flag.withDefault(false),
    ),
    at,
    json,
  },
  (input) =>
    ExitOnInterrupt.cleanly(
      Effect.flatMap(
        Effect.promise(() => import("./node/stats.ts")),
        (handler) => handler.stats(input),
      ),
    ),
).pipe(Command.withDescription("Show how the node is doing, again and again."))

const backup = Command.make(
  "backup",
  {
    to: Argument.String("DEST").pipe(Argument.withDescription("the file to write, on this machine")),
    from: text(
      "from",
      "PATH",
      "a database, a data directory, or a storage as in serve (default ./millrace-data, else the node of --url)",
    ),
    force: Flag.Boolean("force").pipe(Flag.withDescription("replace DEST"), Flag.withDefault(false)),
    incomplete: Flag.Boolean("incomplete").pipe(
      Flag.withDescription("take what is there of a store that lacks its last commits"),
      Flag.withDefault(false),
    ),
    at,
    config: storeConfig,
    json,
  },
  lazily(async () => (await import("./store/backup.ts")).backup),
).pipe(Command.withDescription("Write a backup of a store to a file, while its node goes on."))

const completion = Command.make(
  "completion",
  { shell: Argument.Literals("SHELL", ["bash", "zsh", "fish"]).pipe(Argument.withDescription("bash, zsh or fish")) },
  ({ shell }) => Output.write(`${Completions.generate("millrace", shell, Completions.fromCommand(whole()))}\n`),
).pipe(Command.withDescription("Print a completion script: source <(millrace completion bash)"))

const whole = (): Command.Command.Any => root

/** The whole command line. */
export const root = Command.make("millrace").pipe(
  Command.withDescription("A local-first message bus: durable, replayable topics in a file beside your app."),
  Command.withSubcommands([
    serve,
    publish,
    subscribe,
    fetch,
    heads,
    deleteRange,
    queue,
    cursor,
    ...liveCommands,
    health,
    ready,
    sync,
    stats,
    doctor,
    backup,
    completion,
  ]),
)
