/**
 * The kills of the crash tests with a store in PostgreSQL: of the node, or of the server under it. In the end the store is
 * examined.
 */
import { Effect, Redacted } from "effect"
import { examine } from "../../src/storage/postgres/index.ts"
import { makeServer } from "../support/postgresServer.ts"
import type * as Daemon from "./Daemon.ts"
import { kills, type KillsOptions, type KillsReport } from "./kills.ts"

export type Victim = "node" | "server"

export const postgresKills = (
  victim: Victim,
  options: Pick<KillsOptions, "rounds" | "seed" | "onRound">,
): Effect.Effect<KillsReport, Daemon.DaemonFailed> =>
  Effect.gen(function* () {
    const server = yield* makeServer()
    const url = server.url("kills")
    return yield* kills({
      ...options,
      env: { MILLRACE_STORAGE: Redacted.value(url) },
      server: victim === "server" ? server : undefined,
      examination: examine({ url }),
    })
  }).pipe(Effect.scoped)
