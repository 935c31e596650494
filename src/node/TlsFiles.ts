/**
 * The certificates of a node: what it shows to those who connect, and to its peers, and whom it trusts. Their files are
 * read again when they change and on SIGHUP, for the connections that are made from then on. Files that cannot be used
 * change nothing: the old ones stay, and the log says so.
 */
import { resolve } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as gauges from "../domain/gauges.ts"
import type { TlsDialOptions, TlsListenOptions } from "../transport/tls.ts"
import { ConfigInvalid } from "./ConfigInvalid.ts"
import * as FollowedFiles from "./FollowedFiles.ts"
import type { NodeConfig } from "./NodeConfig.ts"
import { type PemFile, type PemProblem, readAuthorities, readPair } from "./pemFiles.ts"

/** What holds now. Each function gives the same object until it changes. */
export class TlsFiles extends Context.Service<
  TlsFiles,
  {
    /** For listeners; undefined where there is no certificate. */
    readonly listen: (() => TlsListenOptions) | undefined
    /** For connections to peers. */
    readonly dial: () => TlsDialOptions
  }
>()("millrace/node/TlsFiles") {}

/** What files say, with the end of the certificate among them. */
interface Loaded {
  readonly untilMillis?: number
}

type FileSetting = "tls-cert" | "tls-key" | "tls-client-ca" | "peer-tls-ca" | "peer-tls-cert" | "peer-tls-key"

const expiry = Metric.gauge("millrace_tls_certificate_expires_timestamp_seconds", {
  description: "Until when the certificate holds that is shown to clients or peers, in seconds since 1970",
})

/** Files that are used together. */
interface Group<A extends Loaded> {
  /** What they are, in the log. */
  readonly about: string
  /** To whom the certificate is shown. */
  readonly shownTo: "clients" | "peers"
  readonly paths: ReadonlyArray<string>
  readonly load: (nowMillis: number) => Result.Result<A, PemProblem>
}

/** A group as it was read. */
interface Held<A extends Loaded> extends Group<A> {
  readonly first: A
}

const fileOf = (config: NodeConfig, setting: FileSetting): PemFile | undefined =>
  // From here on the file is this one, whatever becomes of the working directory.
  config[setting] === "off" ? undefined : { setting: `--${setting}`, path: resolve(config[setting]) }

const authorities = (file: PemFile | undefined): Result.Result<string | undefined, PemProblem> =>
  file === undefined ? Result.succeed(undefined) : readAuthorities(file)

const pathsOf = (...files: ReadonlyArray<PemFile | undefined>): ReadonlyArray<string> =>
  files.flatMap((file) => (file === undefined ? [] : [file.path]))

const listenGroup = (config: NodeConfig): Group<TlsListenOptions & Loaded> | undefined => {
  const [cert, key, clientCa] = (["tls-cert", "tls-key", "tls-client-ca"] as const).map((name) => fileOf(config, name))
  if (cert === undefined || key === undefined) return undefined
  return {
    about: "the certificate of this node",
    shownTo: "clients",
    paths: pathsOf(cert, key, clientCa),
    load: (now) =>
      Result.flatMap(readPair(cert, key, now), (pair) =>
        Result.map(authorities(clientCa), (clientCa) => ({ ...pair, clientCa })),
      ),
  }
}

const dialGroup = (config: NodeConfig): Group<TlsDialOptions & Loaded> => {
  const [ca, cert, key] = (["peer-tls-ca", "peer-tls-cert", "peer-tls-key"] as const).map((name) =>
    fileOf(config, name),
  )
  const domain = config["peer-tls-domain"] === "off" ? undefined : config["peer-tls-domain"]
  return {
    about: "the certificates for peers",
    shownTo: "peers",
    paths: pathsOf(ca, cert, key),
    load: (now) =>
      Result.flatMap(authorities(ca), (ca) =>
        Result.map(cert === undefined || key === undefined ? Result.succeed({}) : readPair(cert, key, now), (pair) => ({
          ...pair,
          ca,
          domain,
        })),
      ),
  }
}

const readGroup = <A extends Loaded>(group: Group<A>): Effect.Effect<Held<A>, ConfigInvalid> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.mapBoth(Effect.fromResult(group.load(now)), {
      onSuccess: (first) => ({ ...group, first }),
      onFailure: ({ sentence, setting }) => new ConfigInvalid({ setting, message: `${setting}: ${sentence}` }),
    }),
  )

/** What was read before anything is made. */
export interface ReadTls {
  readonly listen: Held<TlsListenOptions & Loaded> | undefined
  readonly dial: Held<TlsDialOptions & Loaded>
}

/** The certificates that the settings name, or why they cannot be used. */
export const readAll = (config: NodeConfig): Effect.Effect<ReadTls, ConfigInvalid> => {
  const listen = listenGroup(config)
  return Effect.all({
    listen: listen === undefined ? Effect.undefined : readGroup(listen),
    dial: readGroup(dialGroup(config)),
  })
}

const isSame = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Gives what the files of a group say, as long as the scope is open; at last what they said then. */
const followed = Effect.fnUntraced(function* <A extends Loaded>({ about, first, load, paths, shownTo }: Held<A>) {
  let current = first
  let told: string | undefined
  const look = Effect.gen(function* () {
    const loaded = load(yield* Clock.currentTimeMillis)
    if (Result.isFailure(loaded)) {
      const { sentence } = loaded.failure
      // A file that stays broken is not told of again at every look.
      if (sentence === told) return
      told = sentence
      return yield* Effect.logError(`what is new of ${about} cannot be used, and the old is kept: ${sentence}`)
    }
    told = undefined
    if (isSame(loaded.success, current)) return
    current = loaded.success
    yield* Effect.logInfo(`${about}: read again, for new connections`)
  })
  if (paths.length > 0) yield* FollowedFiles.follow(paths, look)
  if (first.untilMillis !== undefined) {
    const services = yield* Effect.context<never>()
    const shown = Metric.withAttributes(expiry, { to: shownTo })
    yield* gauges.watch(shown, services, () => (current.untilMillis ?? 0) / 1000)
  }
  return () => current
})

export const layer = ({ dial, listen }: ReadTls): Layer.Layer<TlsFiles> =>
  Layer.effect(
    TlsFiles,
    Effect.gen(function* () {
      return TlsFiles.of({
        listen: listen === undefined ? undefined : yield* followed(listen),
        dial: yield* followed(dial),
      })
    }),
  )
