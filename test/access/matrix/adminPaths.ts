/** Looking after a node over gRPC. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Unavailable } from "../../../src/domain/errors.ts"
import type { SyncControl } from "../../../src/replication/index.ts"
import type { Stats } from "../../../src/stats/Stats.ts"
import type { Maintenance } from "../../../src/storage/Maintenance.ts"
import type { Path } from "./Cell.ts"
import { outcomeOf } from "./durablePaths.ts"

export interface AdminPlace {
  readonly sync: SyncControl["Service"]
  readonly stats: Stats["Service"]
  readonly maintenance: Maintenance["Service"]
}

/** What the node of the matrix has instead of figures and a file. */
export const nothing = new Unavailable({ message: "there is nothing here" })

/** A log that is quarantined nowhere. */
const log = { topic: "a", origin: { tenant: "t", line: "l", device: "elsewhere" } }

const answered = <A>(attempt: Effect.Effect<A, { readonly _tag: string; readonly message: string }>) =>
  outcomeOf(
    Effect.catchIf(
      attempt,
      ({ _tag, message }) => message === nothing.message || _tag === "NotResolvable",
      () => Effect.void,
    ),
  )

export const adminPaths: ReadonlyArray<Path<AdminPlace>> = [
  { name: "GetStats", verb: "admin", objects: ["stats"], attempt: ({ stats }) => answered(stats.current) },
  {
    name: "Examine",
    verb: "admin",
    objects: ["examine"],
    attempt: ({ maintenance }) => answered(Stream.runDrain(maintenance.examine)),
  },
  {
    name: "Backup",
    verb: "admin",
    objects: ["backup"],
    attempt: ({ maintenance }) => answered(Stream.runDrain(maintenance.backup)),
  },
  {
    name: "GetStatus",
    verb: "admin",
    objects: ["peers"],
    attempt: ({ sync }) => answered(Stream.runDrain(sync.status({ logs: "all" }))),
  },
  {
    name: "Resolve",
    verb: "admin",
    objects: ["peers"],
    attempt: ({ sync }) => answered(sync.resolve(log, "peer")),
  },
]
