/**
 * Where a node's settings come from: flags, else `MILLRACE_*` variables, else a configuration file, else defaults.
 *
 * Each setting is taken from the first source that names it, and only that value is looked at; a value that cannot be
 * names its source. A configuration file is a JSON object with the settings' names as keys; a key that is no setting
 * is an error, so that a slip of the pen is not silently a default.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as NodeId from "../domain/NodeId.ts"
import * as Address from "./Address.ts"
import * as BusrtSetting from "./BusrtSetting.ts"
import { ConfigInvalid } from "./ConfigInvalid.ts"
import { exposureProblem, type Listener } from "./Exposure.ts"
import { NodeConfig, type NodeConfigText, type SettingName, settingNames, settings } from "./NodeConfig.ts"
import * as PeerSetting from "./PeerSetting.ts"
import { reasonOf } from "./StartFailed.ts"
import * as StorageSetting from "./StorageSetting.ts"

/** A setting as it is written: what can be given more than once is a list. */
export type SettingText = string | ReadonlyArray<string>

export interface ConfigSources {
  /** The flags that were given, without their dashes. */
  readonly flags: Readonly<Partial<Record<SettingName, SettingText>>> & { readonly config?: string }
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The variable that says the same as a flag: `max-message` → `MILLRACE_MAX_MESSAGE`. */
export const variableOf = (name: string): string => `MILLRACE_${name.toUpperCase().replaceAll("-", "_")}`

/** Where OpenTelemetry's standard looks for a collector. */
const otlpVariable = "OTEL_EXPORTER_OTLP_ENDPOINT"

/** Where PostgreSQL's own programs look for a password. */
const passwordVariable = "PGPASSWORD"

/** Why a password is refused that stands on a command line, and where it belongs. */
export const whyNoPassword = `carries a password, and everybody on this machine can read a command line: leave the password to ${passwordVariable}, or give the URL in ${variableOf("storage")} or as "storage" in a configuration file`

/** A storage with the password that the environment has for it. */
export const withPassword = (storage: StorageSetting.Storage, environment: ConfigSources["environment"]) => {
  const password = environment[passwordVariable]
  return password ? StorageSetting.withPassword(storage, password) : storage
}

interface Written {
  readonly text: SettingText
  readonly source: string
}

const isList = (name: SettingName): boolean => typeof settings[name].initial !== "string"

/** The entries of a variable stand between commas. */
const entriesOf = (variable: string): ReadonlyArray<string> =>
  variable
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"

/** What a configuration file says of a setting, or `undefined` where it cannot be that. */
const fromJson = (name: SettingName, value: unknown): SettingText | undefined => {
  if (isScalar(value)) return isList(name) ? [String(value)] : String(value)
  return isList(name) && Array.isArray(value) && value.every(isScalar) ? value.map(String) : undefined
}

const isSetting = (name: string): name is SettingName => Object.hasOwn(settings, name)

const refuse = (setting: string, message: string) => new ConfigInvalid({ setting, message })

const readConfigFile = (path: string, source: string): Effect.Effect<Map<SettingName, Written>, ConfigInvalid> =>
  Effect.gen(function* () {
    const content = yield* Effect.try({
      try: () => readFileSync(path, "utf8"),
      catch: (cause) => refuse(source, `${source} names ${path}, which cannot be read: ${reasonOf(cause)}`),
    })
    const object = yield* Effect.try({
      try: (): unknown => JSON.parse(content),
      catch: () => refuse(source, `${path} is not valid JSON`),
    })
    if (!Predicate.isObject(object)) {
      return yield* refuse(source, `${path} must hold a JSON object of settings`)
    }
    const written = new Map<SettingName, Written>()
    for (const [name, value] of Object.entries(object)) {
      const setting = `${JSON.stringify(name)} in ${path}`
      if (!isSetting(name)) return yield* refuse(setting, `${setting} is not a setting`)
      const text = fromJson(name, value)
      if (text === undefined) return yield* refuse(setting, `${setting} takes ${settings[name].takes}`)
      written.set(name, { text, source: setting })
    }
    return written
  })

const collect = ({ flags, environment }: ConfigSources): Effect.Effect<Map<SettingName, Written>, ConfigInvalid> =>
  Effect.gen(function* () {
    const path = flags.config ?? environment[variableOf("config")]
    const source = flags.config === undefined ? variableOf("config") : "--config"
    const file = path === undefined || path === "" ? undefined : yield* readConfigFile(path, source)
    const written = new Map<SettingName, Written>()
    for (const name of settingNames) {
      const flag = flags[name]
      const variable = environment[variableOf(name)]
      const value =
        flag !== undefined
          ? { text: flag, source: `--${name}` }
          : variable !== undefined
            ? { text: isList(name) ? entriesOf(variable) : variable, source: variableOf(name) }
            : file?.get(name)
      if (value !== undefined) written.set(name, value)
    }
    // The standard's own variable comes last: it is often there for all that runs on a machine.
    const endpoint = environment[otlpVariable]
    if (!written.has("otlp") && endpoint !== undefined && endpoint !== "") {
      written.set("otlp", { text: endpoint, source: otlpVariable })
    }
    return written
  })

/** Memory keeps nothing: who asked for more than that does not get it silently. And no other storage is just memory. */
const refuseDurability = (config: NodeConfig, source: string | undefined): Effect.Effect<NodeConfig, ConfigInvalid> => {
  const isMemory = config.storage.backend === "memory"
  if (isMemory === (config.durability === "memory")) return Effect.succeed(config)
  if (source === undefined) return Effect.succeed({ ...config, durability: "memory" })
  return Effect.fail(
    new ConfigInvalid({
      setting: source,
      message: `${source} ${config.durability} is not what ${config.storage.backend}: gives: it gives ${isMemory ? "memory" : "fsync or os"}`,
    }),
  )
}

/** The command line of a process can be read by everybody on its machine, and stays in the history of a shell. */
const refusePassword = ({ storage }: NodeConfig, source: string | undefined): Effect.Effect<void, ConfigInvalid> =>
  source === "--storage" && StorageSetting.hasPassword(storage)
    ? Effect.fail(refuse(source, `--storage ${whyNoPassword}`))
    : Effect.void

interface ConfiguredListener extends Pick<Listener, "isExposed" | "hasTls" | "forTls"> {
  readonly name: SettingName
  readonly text: string
}

const hasCertificate = (config: NodeConfig): boolean => config["tls-cert"] !== "off"

const listenersOf = (config: NodeConfig): ReadonlyArray<ConfiguredListener> => [
  ...(["grpc", "admin"] as const).flatMap((name) => {
    const address = config[name]
    if (address === "off") return []
    const tls =
      name === "grpc"
        ? { hasTls: hasCertificate(config), forTls: "give it a certificate with --tls-cert and --tls-key" }
        : { hasTls: false }
    return [{ name, text: Address.format(address), isExposed: !Address.isLoopback(address), ...tls }]
  }),
  ...config.busrt.map((endpoint) => ({
    name: "busrt" as const,
    text: BusrtSetting.format(endpoint),
    isExposed: BusrtSetting.isExposed(endpoint),
    hasTls: BusrtSetting.isSecure(endpoint),
    forTls: "use tls: or wss:",
  })),
]

/** A listener that others can reach, without anything that keeps them out, has to be asked for. */
const refuseExposure = (
  config: NodeConfig,
  sourceOf: (name: SettingName) => string,
): Effect.Effect<NodeConfig, ConfigInvalid> => {
  if (config.insecure) return Effect.succeed(config)
  const knowsClients = config.access !== "off" || config["tls-client-ca"] !== "off"
  for (const { name, text, ...listener } of listenersOf(config)) {
    const problem = exposureProblem({ ...listener, written: `${sourceOf(name)} ${text}`, knowsClients })
    if (problem !== undefined) return Effect.fail(refuse(sourceOf(name), problem))
  }
  return Effect.succeed(config)
}

/** Settings that are nothing without each other. */
const needed: ReadonlyArray<readonly [given: SettingName, needs: SettingName]> = [
  ["tls-cert", "tls-key"],
  ["tls-key", "tls-cert"],
  ["tls-client-ca", "tls-cert"],
  ["peer-tls-cert", "peer-tls-key"],
  ["peer-tls-key", "peer-tls-cert"],
]

const forPeers: ReadonlyArray<SettingName> = ["peer-tls-ca", "peer-tls-cert", "peer-tls-domain"]

/** TLS that was asked for, and that would not come of it. */
const refuseHalfTls = (
  config: NodeConfig,
  sourceOf: (name: SettingName) => string,
): Effect.Effect<void, ConfigInvalid> => {
  const say = (name: SettingName, message: string) =>
    Effect.fail(refuse(sourceOf(name), `${sourceOf(name)} ${message}`))
  for (const [name, other] of needed) {
    if (config[name] !== "off" && config[other] === "off") return say(name, `needs --${other}`)
  }
  const secure = config.busrt.find(BusrtSetting.isSecure)
  if (secure !== undefined && !hasCertificate(config)) {
    return say("busrt", `${BusrtSetting.format(secure)} needs a certificate: --tls-cert and --tls-key`)
  }
  if (config.peer.some(PeerSetting.isSecure)) return Effect.void
  const idle = forPeers.find((name) => config[name] !== "off")
  return idle === undefined
    ? Effect.void
    : say(idle, "is for peers with TLS, and there is none: write their URLs as grpcs://HOST:PORT")
}

/** Two nodes of one identity destroy each other's logs: one that has peers has to say who it is. */
const refuseUnnamed = (
  config: NodeConfig,
  sourceOf: (name: SettingName) => string,
): Effect.Effect<NodeConfig, ConfigInvalid> => {
  if (config.peer.length === 0 || !NodeId.equals(config.node, NodeId.defaultNodeId)) return Effect.succeed(config)
  const source = sourceOf("peer")
  const name = NodeId.format(config.node)
  return Effect.fail(
    refuse(source, `${source} needs --node tenant/line/device, for every node that is not named is called ${name}`),
  )
}

/** What is known of a peer is known by its URL. */
const refuseTwice = (
  config: NodeConfig,
  sourceOf: (name: SettingName) => string,
): Effect.Effect<NodeConfig, ConfigInvalid> => {
  const urls = config.peer.map(({ url }) => url)
  const twice = urls.find((url, i) => urls.indexOf(url) < i)
  const source = sourceOf("peer")
  return twice === undefined ? Effect.succeed(config) : Effect.fail(refuse(source, `${source} has ${twice} twice`))
}

/** What a setting cannot be of what is written, or `undefined`. */
const wrongPart = (name: SettingName, text: SettingText): string | undefined => {
  const schema: Schema.ConstraintDecoder<unknown> = settings[name].schema
  const isWrong = (part: SettingText): boolean => Result.isFailure(Schema.decodeUnknownResult(schema)(part))
  if (!isWrong(text)) return undefined
  return typeof text === "string" ? text : (text.find((entry) => isWrong([entry])) ?? text.join(", "))
}

/** The settings that hold, or the first that cannot be. */
export const load = (sources: ConfigSources): Effect.Effect<NodeConfig, ConfigInvalid> =>
  Effect.gen(function* () {
    const written = yield* collect(sources)
    const texts: Record<string, SettingText> = {}
    for (const name of settingNames) {
      const { text, source } = written.get(name) ?? { text: settings[name].initial, source: `--${name}` }
      const wrong = wrongPart(name, text)
      if (wrong !== undefined) {
        return yield* new ConfigInvalid({
          setting: source,
          message: `${source} takes ${settings[name].takes}, not ${JSON.stringify(settings[name].quote(wrong))}`,
        })
      }
      texts[name] = text
    }
    const decoded = yield* Effect.orDie(Schema.decodeUnknownEffect(NodeConfig)(texts))
    yield* refusePassword(decoded, written.get("storage")?.source)
    const storage = withPassword(decoded.storage, sources.environment)
    const config = yield* refuseDurability({ ...decoded, storage }, written.get("durability")?.source)
    const sourceOf = (name: SettingName): string => written.get(name)?.source ?? `--${name}`
    yield* refuseUnnamed(config, sourceOf)
    yield* refuseTwice(config, sourceOf)
    yield* refuseHalfTls(config, sourceOf)
    return yield* refuseExposure(config, sourceOf)
  })

/** The settings as people write them, fit to be a configuration file; passwords are hidden. */
export const print = (config: NodeConfig): string => {
  const texts: NodeConfigText = Schema.encodeSync(NodeConfig)(config)
  return StorageSetting.redact(JSON.stringify(texts, null, 2))
}
