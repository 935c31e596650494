/**
 * The real daemon as a child process that is started on the same data and the same port again and again, and killed.
 */
import { createServer } from "node:net"
import { join } from "node:path"
import { Deferred, Effect, Schema, Scope } from "effect"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import { millrace } from "../support/program.ts"
import * as Program from "./Program.ts"

/** The daemon did not start. The message has what it said. */
export class DaemonFailed extends Schema.TaggedError<DaemonFailed>("millrace/test/DaemonFailed")("DaemonFailed", {
  message: Schema.String,
}) {}

export interface Daemon {
  /** `grpc://127.0.0.1:PORT`, the same for every start. */
  readonly url: string
  /** The path of its store. */
  readonly store: string
  /** Of its process, where there is one. */
  readonly pid: () => number | undefined
  /** What it has said on stderr since it was started last. */
  readonly said: () => string
  /** Starts it, and succeeds when it says that it is ready. */
  readonly start: Effect.Effect<void, DaemonFailed>
  /** Starts it and kills it some milliseconds later, ready or not. */
  readonly startAndKill: (millis: number) => Effect.Effect<void>
  /** SIGKILL; succeeds when it is gone. */
  readonly kill: Effect.Effect<void>
  /** Fails when the daemon ends and nobody has told it to; never succeeds. */
  readonly crashed: Effect.Effect<never, DaemonFailed>
  /** SIGTERM; gives how it ended. */
  readonly stop: Effect.Effect<Program.Ended>
}

export type Storage = "sqlite" | "lmdb"

export interface DaemonOptions {
  /** Where it listens; by default a port that nobody listens on. */
  readonly port?: number | undefined
  /** Where it keeps things, in its data directory; by default SQLite. */
  readonly storage?: Storage | undefined
  /** The script that is run with `serve --data DIR --grpc HOST:PORT --admin off`; by default the program itself. */
  readonly script?: string | undefined
  /** Flags for `serve`. */
  readonly flags?: ReadonlyArray<string> | undefined
  /** Variables of its environment, beside those that are there. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

const readyMillisMax = 30_000

/**
 * Ports below those that the system gives to outgoing connections. From among those, somebody could take the daemon's
 * port while it is down; a client that tries to connect to it could even get it itself, and be connected to itself.
 */
const portMin = 10_000
const portMax = 30_000

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.on("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** A port that nobody listens on. */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = portMin + Math.floor(Math.random() * (portMax - portMin))
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

/** A daemon with data of its own, not yet started. Gone with the scope, and its data too. */
export const make = Effect.fnUntraced(function* (
  options: DaemonOptions = {},
): Effect.fn.Return<Daemon, never, Scope.Scope> {
  const directory = yield* diskDirectory
  const scope = yield* Effect.scope
  const port = options.port ?? (yield* freePort)
  const data = join(directory, "data")
  const { script = millrace, env, storage = "sqlite" } = options
  const { flags = storage === "sqlite" ? [] : ["--storage", `${storage}:`] } = options
  const args = [script, "serve", "--data", data, "--grpc", `127.0.0.1:${port}`, "--admin", "off", ...flags]
  const spawn = Scope.provide(Program.start(args, { cwd: directory, ...(env !== undefined && { env }) }), scope)
  let current: Program.Program | undefined

  const crash = yield* Deferred.make<never, DaemonFailed>()

  /** Ends when the program does, which is at the scope's end at the latest. */
  const watch = (program: Program.Program) =>
    Effect.flatMap(program.ended, (ended) =>
      program.wasSignalled
        ? Effect.void
        : Deferred.fail(
            crash,
            new DaemonFailed({
              message: `the daemon ended by itself (${JSON.stringify(ended)}): ${program.stdout.toString("utf8")}${program.stderr}`,
            }),
          ),
    )
  const launch = Effect.tap(spawn, (program) => {
    current = program
    return Effect.forkIn(watch(program), scope)
  })
  const end = (signal: NodeJS.Signals) =>
    Effect.suspend(() => current?.end(signal) ?? Effect.succeed<Program.Ended>({ code: null, signal: null }))

  return {
    url: `grpc://127.0.0.1:${port}`,
    store: join(data, `millrace.${storage}`),
    pid: () => (current?.hasEnded === false ? current.pid : undefined),
    said: () => current?.stderr ?? "",
    start: Effect.gen(function* () {
      const program = yield* launch
      yield* program
        .until(({ stdout }) => stdout.toString("utf8").startsWith("millrace ready"))
        .pipe(
          Effect.timeoutOrElse({
            duration: readyMillisMax,
            orElse: () => Effect.fail(new Program.EndedTooEarly({ message: `not ready in ${readyMillisMax} ms` })),
          }),
          Effect.mapError(({ message }) => new DaemonFailed({ message })),
        )
    }),
    startAndKill: (millis) =>
      Effect.andThen(launch, Effect.andThen(Effect.sleep(millis), Effect.asVoid(end("SIGKILL")))),
    kill: Effect.asVoid(end("SIGKILL")),
    crashed: Deferred.await(crash),
    stop: end("SIGTERM"),
  }
})
