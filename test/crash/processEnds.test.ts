/**
 * I10: when the library's scope is closed nothing is left that would keep a process alive: no thread, socket or timer.
 * Also where a layer could not be built.
 */
import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { diskDirectory } from "../storage/temporaryDirectory.ts"
import * as Daemon from "./Daemon.ts"
import * as Program from "./Program.ts"

/** How an application ended that nobody ended; nothing where it did not. */
const patienceMillis = 20_000

const expectEnd = (said: string, part: string, argument: string) =>
  Effect.gen(function* () {
    const app = Program.pathTo(import.meta.url, "./scopedApp.ts")
    const ended = yield* Effect.timeoutOrElse(Program.run([app, part, argument]), {
      duration: patienceMillis,
      orElse: () => Effect.die(new Error(`${part} ${argument} still runs ${patienceMillis} ms later`)),
    })
    expect(ended.stdout.toString("utf8")).toBe(`${said}\n`)
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: "" })
  })

describe("a process ends by itself when its scope is closed", () => {
  it.live("after topics in SQLite, and where the file cannot be opened", () =>
    Effect.gen(function* () {
      const directory = yield* diskDirectory
      yield* Effect.all(
        [
          expectEnd("used", "sqlite", join(directory, "bus.sqlite")),
          // A directory is no file.
          expectEnd("StoreUnusable", "sqlite", directory),
        ],
        { concurrency: "unbounded" },
      )
    }),
  )

  it.live("after a gRPC client, and where no node answers or the URL is none", () =>
    Effect.gen(function* () {
      const daemon = yield* Daemon.make({ flags: ["--storage", "memory:"] })
      yield* daemon.start
      const nobody = yield* Daemon.freePort
      yield* Effect.all(
        [
          expectEnd("used", "client", daemon.url),
          expectEnd("Unavailable", "client", `grpc://127.0.0.1:${nobody}`),
          expectEnd("InvalidArgument", "client", "no URL"),
        ],
        { concurrency: "unbounded" },
      )
    }),
  )

  it.live("after connections of every kind, and where nobody may listen there", () =>
    Effect.gen(function* () {
      const directory = yield* diskDirectory
      yield* Effect.all(
        [
          expectEnd("used", "connections", `unix:${join(directory, "a.sock")}`),
          expectEnd("used", "connections", "tcp:127.0.0.1:0"),
          expectEnd("used", "connections", "ws:127.0.0.1:0"),
          // A directory is no socket.
          expectEnd("ListenFailed", "connections", `unix:${directory}`),
        ],
        { concurrency: 2 },
      )
    }),
  )

  it.live("after a gRPC server, and where its port is taken", () =>
    Effect.gen(function* () {
      const taken = yield* Daemon.freePort
      yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const holder = createServer()
          holder.listen(taken, "127.0.0.1", () => resume(Effect.succeed(holder)))
        }),
        (holder) => Effect.sync(() => holder.close()),
      )
      yield* Effect.all([expectEnd("used", "server", "0"), expectEnd("GrpcListenFailed", "server", `${taken}`)], {
        concurrency: "unbounded",
      })
    }),
  )
})
