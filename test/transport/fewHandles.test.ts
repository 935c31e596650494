/** A listener in a process that cannot open another file, as the system has it: who comes then is not served, others are. */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Transport from "../../src/transport/index.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { witness } from "./places.ts"

const app = fileURLToPath(new URL("./fewHandlesApp.ts", import.meta.url))
/** Node itself needs about twenty. */
const filesMax = 48

const start = (path: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const command = `ulimit -n ${filesMax}; exec "$@"`
      const child = spawn("sh", ["-c", command, "sh", process.execPath, app, path], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      child.stdout!.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL")),
  )

it.live.skipIf(process.platform === "win32")("a listener outlives having no file handles left, and serves again", () =>
  Effect.gen(function* () {
    const path = join(yield* temporaryDirectory, "a.sock")
    const child = yield* start(path)
    const echoes = (connection: Transport.Connection) => {
      const reader = witness(connection)
      connection.write(Buffer.from("x"))
      return Effect.raceFirst(Effect.as(reader.has(1), true), Effect.as(reader.ended, false))
    }
    const served = yield* Effect.scoped(
      Effect.forEach(
        Array.from({ length: 2 * filesMax }),
        () => Effect.catch(Effect.flatMap(Transport.dial({ kind: "unix", path }), echoes), () => Effect.succeed(false)),
        { concurrency: 1 },
      ),
    )
    const count = served.filter(Boolean).length
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThan(filesMax)
    expect(child.exitCode).toBe(null)
    // They have gone, and their handles with them.
    const again = Effect.scoped(Effect.flatMap(Transport.dial({ kind: "unix", path }), echoes))
    yield* Effect.repeat(
      Effect.orElseSucceed(again, () => false),
      { until: (isServed) => isServed },
    )
  }),
)
