/**
 * A real PostgreSQL server of a test's own: a cluster in a temporary directory, reached over a Unix socket and over TCP on
 * the loopback interface, with `fsync` on as it is by default. It can be stopped, killed, started again, and have its
 * connections cut.
 *
 * The server refuses to run as root. Where the tests do, it gets a user of its own.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { chownSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "@effect/vitest"
import { freePort } from "../crash/Daemon.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"

const debianDirectory = "/usr/lib/postgresql"

/** Where the server's programs are: those of Debian, the latest first, or those in the path. */
const programs = ((): string | undefined => {
  const versions = existsSync(debianDirectory) ? readdirSync(debianDirectory) : []
  const debian = versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(debianDirectory, version, "bin"))
  return [...debian, ...(process.env["PATH"] ?? "").split(delimiter)].find((directory) =>
    existsSync(join(directory, "initdb")),
  )
})()

/** Whether tests that need a server are left out. Where CI is set they are not, and fail where there is none. */
export const skipsPostgres = programs === undefined && process.env["CI"] !== "true"

const userName = "postgres"
const password = "a secret of the tests"

/** Whom the server runs as, where the tests run as root. */
const owner = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync("/etc/passwd", "utf8").split("\n")
  for (const name of ["postgres", "nobody"]) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(":")
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  throw new Error("there is no user whom the server could run as")
}

export interface PostgresServer {
  readonly port: number
  /** Where its Unix socket is. */
  readonly directory: string
  /** The superuser's URL of a database, by default `postgres`, with a schema for the store if one is given. */
  readonly url: (schema?: string, database?: string) => Redacted.Redacted
  /** The same, as settings of a client. */
  readonly connection: PgConnection.Config
  /** Runs SQL as the superuser, on a connection of its own. */
  readonly query: (sql: string, database?: string) => Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>>
  /** Starts it again, after it was stopped or killed. Done when it answers. */
  readonly start: Effect.Effect<void>
  /** Ends it, and with it all connections, in order. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL to all of its processes; done when they are gone. */
  readonly kill: Effect.Effect<void>
  /** Cuts the connections that meet a condition on `pg_stat_activity`, by default all but this one. Gives how many. */
  readonly terminate: (where?: string) => Effect.Effect<number>
  /** What it has written to its log. */
  readonly log: () => string
}

const userInUrl = `${userName}:${encodeURIComponent(password)}`

/** A server that is ready. Gone with the scope, and its data too. */
export const makeServer = (
  settings: Readonly<Record<string, string>> = {},
): Effect.Effect<PostgresServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (programs === undefined) throw new Error("PostgreSQL is not installed")
    const as = owner()
    const directory = yield* temporaryDirectory
    const data = join(directory, "data")
    const logFile = join(directory, "log")
    const passwordFile = join(directory, "password")
    mkdirSync(data, { mode: 0o700 })
    writeFileSync(passwordFile, password)
    for (const path of [directory, data, passwordFile]) if (as !== undefined) chownSync(path, as.uid, as.gid)
    yield* Effect.promise(() =>
      promisify(execFile)(
        join(programs, "initdb"),
        Object.entries({
          pgdata: data,
          username: userName,
          pwfile: passwordFile,
          encoding: "UTF8",
          locale: "C",
          "auth-local": "trust",
          "auth-host": "md5",
          sync: false,
        }).map(([name, value]) => (value === false ? `--no-${name}` : `--${name}=${value}`)),
        { cwd: directory, ...as },
      ),
    )
    let port = yield* freePort
    let server: ChildProcess | undefined

    const connection = (): PgConnection.Config => ({
      host: "127.0.0.1",
      port,
      username: userName,
      password: Redacted.make(password),
      database: "postgres",
    })

    const query = (sql: string, database = "postgres") =>
      Effect.scoped(
        Effect.flatMap(
          PgConnection.make({ path: join(directory, `.s.PGSQL.${port}`), username: userName, database }),
          (one) => one.queryValues(sql, [], false),
        ),
      )

    const launch = Effect.sync(() => {
      const log = openSync(logFile, "a")
      const options = {
        unix_socket_directories: directory,
        listen_addresses: "127.0.0.1",
        port: String(port),
        ...settings,
      }
      const given = Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      server = spawn(join(programs, "postgres"), ["-D", data, ...given], {
        cwd: directory,
        stdio: ["ignore", log, log],
        ...as,
      })
    })

    const log = () => readFileSync(logFile, "utf8")

    const hasEnded = () => server === undefined || server.exitCode !== null || server.signalCode !== null

    const answers = query("SELECT 1").pipe(
      Effect.asVoid,
      Effect.mapError((error) => (hasEnded() ? new Error(`the server has ended: ${log()}`) : error)),
      Effect.retry({ schedule: Schedule.spaced(20), while: () => !hasEnded() }),
    )

    const start = Effect.andThen(launch, Effect.orDie(answers))

    /** The postmaster and all that it has started, which have groups of their own. */
    const processes = (): ReadonlyArray<number> => {
      const pid = server?.pid
      if (pid === undefined || hasEnded()) return []
      return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)]
    }

    const gone = (pid: number): boolean => {
      try {
        // One that has ended and is not yet buried counts as gone.
        return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")
      } catch {
        return true
      }
    }

    const end = (signal: NodeJS.Signals, also: ReadonlyArray<number>) =>
      Effect.gen(function* () {
        const running = processes()
        const child = server
        if (child === undefined || hasEnded()) return
        const ended = new Promise((resolve) => child.once("exit", resolve))
        child.kill(signal)
        for (const pid of also) {
          try {
            process.kill(pid, signal)
          } catch {
            // It is gone already.
          }
        }
        yield* Effect.promise(() => ended)
        // A new server would find that the old one's memory is still in use.
        while (!running.every(gone)) yield* Effect.sleep(5)
      })

    const stop = Effect.suspend(() => end("SIGINT", []))
    const kill = Effect.suspend(() => end("SIGKILL", processes().slice(1)))

    /** Without a checkpoint: its data goes, too. */
    const drop = Effect.suspend(() => end("SIGQUIT", []))
    const exiting = () => void server?.kill("SIGQUIT")
    yield* Effect.acquireRelease(
      Effect.gen(function* () {
        process.once("exit", exiting)
        // Somebody may have taken the port meanwhile.
        yield* Effect.andThen(launch, answers).pipe(
          Effect.tapError(() => Effect.map(freePort, (free) => (port = free))),
          Effect.retry({ times: 3 }),
          Effect.orDie,
        )
      }),
      () =>
        Effect.andThen(
          drop,
          Effect.sync(() => process.off("exit", exiting)),
        ),
    )

    return {
      port,
      directory,
      url: (schema, database = "postgres") =>
        Redacted.make(
          `postgres://${userInUrl}@127.0.0.1:${port}/${database}${schema === undefined ? "" : `?schema=${schema}`}`,
        ),
      connection: connection(),
      query: (sql, database) => Effect.orDie(query(sql, database)),
      start,
      stop,
      kill,
      terminate: (where = "true") =>
        Effect.orDie(
          Effect.map(
            query(
              `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND (${where})`,
            ),
            (rows) => Number(rows[0]![0]),
          ),
        ),
      log,
    }
  })

/** One server for all tests of a file, started before the first of them. Gives what gives it. */
export const sharedServer = (settings?: Readonly<Record<string, string>>): (() => PostgresServer) => {
  const scope = Scope.makeUnsafe()
  let server: PostgresServer | undefined
  beforeAll(async () => {
    if (!skipsPostgres) server = await Effect.runPromise(Scope.provide(makeServer(settings), scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)
  return () => {
    if (server === undefined) throw new Error("there is no server yet")
    return server
  }
}
