/**
 * What a node is told to be. The Schema's encoded form is the one that people write, in flags, environment variables
 * and configuration files alike: `{"grpc": "127.0.0.1:50051", "busrt": ["unix:", "tcp:127.0.0.1:7777"], …}`. A setting is
 * one string, or a list of them.
 *
 * Where the strings come from is in `ConfigSources`; what is made of them is in `Node`.
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as NodeId from "../domain/NodeId.ts"
import * as TopicFilter from "../domain/TopicFilter.ts"
import * as Address from "./Address.ts"
import * as BusrtSetting from "./BusrtSetting.ts"
import * as PeerSetting from "./PeerSetting.ts"
import * as StorageSetting from "./StorageSetting.ts"

interface Setting<A> {
  /** What it is for, in a few words. */
  readonly about: string
  /** What its text has to be, for the sentence `--name takes …`. */
  readonly takes: string
  /** The text that stands for it where nobody wrote one. */
  readonly initial: string
  /** A text that it cannot be, as it may be shown. */
  readonly quote: (text: string) => string
  readonly schema: Schema.ConstraintCodec<A, string>
}

const setting = <A>(
  value: Schema.ConstraintCodec<A, A>,
  options: Omit<Setting<A>, "schema" | "quote"> & {
    readonly parse: (text: string) => A | undefined
    readonly format: (value: A) => string
    readonly quote?: (text: string) => string
  },
): Setting<A> => ({
  about: options.about,
  takes: options.takes,
  initial: options.initial,
  quote: options.quote ?? StorageSetting.redact,
  schema: Schema.String.pipe(
    Schema.decodeTo(
      value,
      SchemaTransformation.transformEffect<A, string>({
        decode: (text) => {
          const parsed = options.parse(text)
          return parsed === undefined
            ? Effect.fail(new SchemaIssue.InvalidValue({ message: options.takes }))
            : Effect.succeed(parsed)
        },
        encode: (value) => Effect.succeed(options.format(value)),
      }),
    ),
  ),
})

/** A setting that can be given more than once. */
interface ListSetting<A> {
  readonly about: string
  /** What each of its texts has to be. */
  readonly takes: string
  readonly initial: ReadonlyArray<string>
  readonly quote: (text: string) => string
  readonly schema: Schema.ConstraintCodec<ReadonlyArray<A>, ReadonlyArray<string>>
}

/** `none` is what stands, alone, for no entry at all. */
const list = <A>(
  value: Schema.ConstraintCodec<A, A>,
  {
    none,
    format,
    parse,
    ...options
  }: Omit<ListSetting<A>, "schema" | "quote"> & {
    readonly parse: (text: string) => A | undefined
    readonly format: (value: A) => string
    readonly none?: string
  },
): ListSetting<A> => ({
  ...options,
  quote: StorageSetting.redact,
  schema: Schema.Array(Schema.String).pipe(
    Schema.decodeTo(
      Schema.Array(value),
      SchemaTransformation.transformEffect<ReadonlyArray<A>, ReadonlyArray<string>>({
        decode: (texts) => {
          if (texts.length === 1 && texts[0] === none) return Effect.succeed([])
          const parsed = texts.map(parse).filter((entry) => entry !== undefined)
          return parsed.length < texts.length
            ? Effect.fail(new SchemaIssue.InvalidValue({ message: options.takes }))
            : Effect.succeed(parsed)
        },
        encode: (entries) => Effect.succeed(entries.length === 0 && none !== undefined ? [none] : entries.map(format)),
      }),
    ),
  ),
})

const oneOf = <const Literals extends ReadonlyArray<string>>(about: string, literals: Literals) => {
  const schema = Schema.Literals(literals)
  return setting<Literals[number]>(schema, {
    about,
    takes: literals.slice(0, -1).join(", ") + " or " + literals.at(-1),
    initial: literals[0]!,
    parse: (text) => literals.find((literal) => literal === text),
    format: (text) => text,
  })
}

const flag = (about: string) =>
  setting(Schema.Boolean, {
    about,
    takes: "true or false",
    initial: "false",
    parse: (text) => (text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : undefined),
    format: String,
  })

const AddressSchema = Schema.Struct({ host: Schema.NonEmptyString, port: Schema.Int })

const address = (about: string, initial: string) =>
  setting(Schema.Union([AddressSchema, Schema.Literal("off")]), {
    about,
    takes: "HOST:PORT or off",
    initial,
    parse: (text) => (text === "off" ? "off" : Address.parse(text)),
    format: (value) => (value === "off" ? "off" : Address.format(value)),
  })

/** The limits of `--max-message`: below, nothing useful fits; above, one message would fill a frame of any protocol. */
export const maxMessageBytes = { min: 1024, max: 256 * 1024 * 1024, initial: 3_670_016 } as const

const parseSize = (text: string): number | undefined => {
  const size = /^\d{1,15}$/.test(text) ? BigInt(text) : Option.getOrUndefined(ByteSize.fromString(text))
  return size === undefined || size < maxMessageBytes.min || size > maxMessageBytes.max ? undefined : Number(size)
}

const duration = (about: string, initial: string) =>
  setting(Schema.Duration, {
    about,
    takes: "a time from 100ms on, such as 500ms, 5s or 1m",
    initial,
    parse: (text) => atLeast100Millis(parseDuration(text)),
    format: formatDuration,
  })

const count = (about: string, initial: number) =>
  setting(Schema.Int, {
    about,
    takes: "a whole number from 1 to 1000000",
    initial: String(initial),
    parse: (text) => (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= 1_000_000 ? Number(text) : undefined),
    format: String,
  })

const millisOf: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** `500ms`, `5s`, `1.5m`: at most a day. */
export const parseDuration = (text: string): Duration.Duration | undefined => {
  const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)$/.exec(text) ?? []
  if (digits === undefined || unit === undefined) return undefined
  const millis = Math.round(Number(digits) * millisOf[unit]!)
  return millis > 86_400_000 ? undefined : Duration.millis(millis)
}

const formatDuration = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  return millis % 1000 === 0 ? `${millis / 1000}s` : `${millis}ms`
}

const atLeast100Millis = (duration: Duration.Duration | undefined): Duration.Duration | undefined =>
  duration === undefined || Duration.toMillis(duration) < 100 ? undefined : duration

const isPath = (text: string): boolean => text.trim() !== "" && !text.includes("\0")

/** @param what it is where it is not `off` */
const fileOrOff = (what: string, about: string) =>
  setting(Schema.NonEmptyString, {
    about,
    takes: `${what}, or off`,
    initial: "off",
    parse: (text) => (isPath(text) ? text : undefined),
    format: (text) => text,
  })

/** Every setting by its name, in the order in which people should read them. */
export const settings = {
  node: setting(NodeId.NodeId, {
    about: "identity of this node",
    takes: "tenant/line/device, each part not blank and at most 255 bytes long",
    initial: NodeId.format(NodeId.defaultNodeId),
    parse: (text) => Option.getOrUndefined(Result.getSuccess(Effect.runSync(Effect.result(NodeId.parse(text))))),
    format: NodeId.format,
  }),
  data: setting(Schema.NonEmptyString, {
    about: "directory for the database and endpoints.json",
    takes: "a directory",
    initial: "./millrace-data",
    parse: (text) => (isPath(text) ? text : undefined),
    format: (text) => text,
  }),
  storage: setting(StorageSetting.Storage, {
    about: "where messages are kept",
    takes: StorageSetting.takes,
    initial: "sqlite:",
    parse: StorageSetting.parse,
    format: StorageSetting.format,
    quote: StorageSetting.quote,
  }),
  durability: oneOf(
    "what an acknowledged message survives: fsync, a power cut; os, the death of the process; memory, nothing",
    ["fsync", "os", "memory"],
  ),
  "max-message": setting(Schema.Int, {
    about: "largest message, payload, topic and headers together",
    takes: "a size from 1KiB to 256MiB, such as 3.5MiB or 65536",
    initial: "3.5MiB",
    parse: parseSize,
    format: (bytes) => (bytes === maxMessageBytes.initial ? "3.5MiB" : String(bytes)),
  }),
  grpc: address("where gRPC is served", "127.0.0.1:50051"),
  busrt: list(BusrtSetting.BusrtEndpoint, {
    about: "where the live plane is served, in the protocol BUS/RT; repeatable",
    takes: `${BusrtSetting.takes}, or off alone`,
    initial: ["unix:"],
    none: "off",
    parse: BusrtSetting.parse,
    format: BusrtSetting.format,
  }),
  "ws-origin": list(Schema.NonEmptyString, {
    about: "web pages that may connect to --busrt ws:, beside programs that are no browsers; repeatable",
    takes: "the origin of a page, such as https://example.org, or * for any",
    initial: [],
    parse: (text) => (text === "*" || URL.parse(text)?.origin === text ? text : undefined),
    format: (text) => text,
  }),
  durable: list(Schema.NonEmptyString, {
    about: "topics on which what live clients publish is stored before it is delivered; repeatable",
    takes: "a topic filter, such as orders/#",
    initial: [],
    parse: (text) => (TopicFilter.problem(text) === undefined ? text : undefined),
    format: (text) => text,
  }),
  "force-register": flag("a client name that is taken goes to who asks last, and who had it is disconnected"),
  "queue-size": count(
    "frames that wait for one client of the live plane; who does not read them is disconnected",
    8192,
  ),
  timeout: duration("after a time of silence and a quarter of it, a client of the live plane is disconnected", "5s"),
  "control-fifo": fileOrOff("a path", "named pipe that takes commands for the live plane, a line each"),
  peer: list(PeerSetting.PeerSetting, {
    about: "another node, from which this one gets all messages that it has not; repeatable",
    takes: PeerSetting.takes,
    initial: [],
    parse: PeerSetting.parse,
    format: PeerSetting.format,
  }),
  "sync-interval": duration("time between two looks at a peer that does not tell by itself what is new", "1s"),
  "sync-batch": count("messages that a peer of the contract msgbus.v1 is asked for at once", 100),
  heal: flag("fill this node's own logs from its peers, where they have more of them"),
  "heal-wait": duration(
    "how long to wait for peers at the start, before a node that has lost its own logs takes more",
    "2s",
  ),
  "max-connections": count("connections of gRPC, and of each --busrt, at a time; one more is closed at once", 1024),
  "max-streams": count("calls at a time on one gRPC connection", 1024),
  "keep-alive": duration("after this time of silence a gRPC connection is asked whether anybody is there", "30s"),
  admin: address("where /healthz, /readyz and /metrics are served over HTTP", "127.0.0.1:9465"),
  drain: setting(Schema.Duration, {
    about: "time for work in flight when the node stops",
    takes: "a time such as 500ms, 5s or 1m",
    initial: "5s",
    parse: parseDuration,
    format: formatDuration,
  }),
  "stall-after": duration(
    "how long a commit, an answer of the store or a turn of the event loop may take before the node is not ready",
    "5s",
  ),
  otlp: setting(Schema.NonEmptyString, {
    about: "OpenTelemetry collector to send traces, metrics and logs to; else OTEL_EXPORTER_OTLP_ENDPOINT",
    takes: "the URL of a collector, such as http://127.0.0.1:4318, or off",
    initial: "off",
    parse: (text) => (text === "off" || /^https?:$/.test(URL.parse(text)?.protocol ?? "") ? text : undefined),
    format: (text) => text,
  }),
  log: oneOf("how the log is written to stderr", ["pretty", "json"]),
  "log-level": oneOf("from which level on the log is written", ["info", "trace", "debug", "warn", "error", "none"]),
  "tls-cert": fileOrOff("a file", "certificate of this node, in PEM: with it gRPC is served under TLS"),
  "tls-key": fileOrOff("a file", "key of --tls-cert, in PEM"),
  "tls-client-ca": fileOrOff("a file", "who signs the certificates that clients have to show, in PEM"),
  "peer-tls-ca": fileOrOff("a file", "who signs the certificates of peers, in PEM; else those that Node trusts"),
  "peer-tls-cert": fileOrOff("a file", "certificate that is shown to peers, in PEM"),
  "peer-tls-key": fileOrOff("a file", "key of --peer-tls-cert, in PEM"),
  "peer-tls-domain": setting(Schema.NonEmptyString, {
    about: "name that the certificates of peers have to be for; else the host of their URL",
    takes: "a name or an address, or off",
    initial: "off",
    parse: (text) => (/^[!-~]+$/.test(text) ? text : undefined),
    format: (text) => text,
  }),
  access: fileOrOff("a file", "file of access rules, on who may do what; who is not in it may do nothing"),
  insecure: flag("listen beyond this machine without TLS, or for everybody"),
  json: flag("print the ready line as JSON"),
} as const

export type SettingName = keyof typeof settings

export const settingNames = Object.keys(settings) as ReadonlyArray<SettingName>

export const NodeConfig = Schema.Struct({
  node: settings.node.schema,
  data: settings.data.schema,
  storage: settings.storage.schema,
  durability: settings.durability.schema,
  "max-message": settings["max-message"].schema,
  grpc: settings.grpc.schema,
  busrt: settings.busrt.schema,
  "ws-origin": settings["ws-origin"].schema,
  durable: settings.durable.schema,
  "force-register": settings["force-register"].schema,
  "queue-size": settings["queue-size"].schema,
  timeout: settings.timeout.schema,
  "control-fifo": settings["control-fifo"].schema,
  peer: settings.peer.schema,
  "sync-interval": settings["sync-interval"].schema,
  "sync-batch": settings["sync-batch"].schema,
  heal: settings.heal.schema,
  "heal-wait": settings["heal-wait"].schema,
  "max-connections": settings["max-connections"].schema,
  "max-streams": settings["max-streams"].schema,
  "keep-alive": settings["keep-alive"].schema,
  admin: settings.admin.schema,
  drain: settings.drain.schema,
  "stall-after": settings["stall-after"].schema,
  otlp: settings.otlp.schema,
  log: settings.log.schema,
  "log-level": settings["log-level"].schema,
  "tls-cert": settings["tls-cert"].schema,
  "tls-key": settings["tls-key"].schema,
  "tls-client-ca": settings["tls-client-ca"].schema,
  "peer-tls-ca": settings["peer-tls-ca"].schema,
  "peer-tls-cert": settings["peer-tls-cert"].schema,
  "peer-tls-key": settings["peer-tls-key"].schema,
  "peer-tls-domain": settings["peer-tls-domain"].schema,
  access: settings.access.schema,
  insecure: settings.insecure.schema,
  json: settings.json.schema,
})

export type NodeConfig = typeof NodeConfig.Type

/** All settings as people write them. */
export type NodeConfigText = typeof NodeConfig.Encoded
