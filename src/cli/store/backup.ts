/**
 * `backup`: writes a backup of a store to a file of this machine, while its node goes on.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { writeBackup } from "../../storage/parts/BackupFile.ts"
import { Maintenance } from "../../storage/Maintenance.ts"
import { findToken } from "../Connection.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import * as units from "../io/units.ts"
import * as Source from "./source.ts"
import { nameOf, type Store } from "./StorePath.ts"
import { UsageError } from "../UsageError.ts"
import type { NodeAt, Target } from "../NodeAt.ts"

export interface BackupInput {
  readonly to: string
  readonly from: Option.Option<string>
  readonly at: NodeAt
  readonly config: Option.Option<string>
  readonly force: boolean
  readonly incomplete: boolean
  readonly json: boolean
}

const ofFile = (path: string, { force, incomplete, to }: BackupInput) =>
  Effect.gen(function* () {
    const { backup } = yield* Effect.promise(() => import("../../storage/sqlite/backup.ts"))
    const progress = yield* Progress.make("pages copied")
    let copied = 0
    const onProgress = (done: number) => {
      progress.add(done - copied)
      copied = done
    }
    return yield* backup({ path, to, force, incomplete, onProgress })
  }).pipe(Effect.scoped)

const ofStore = (store: Store, input: BackupInput) => {
  switch (store.backend) {
    case "sqlite":
      return ofFile(store.path, input)
    case "lmdb":
      return Effect.flatMap(
        Effect.promise(() => import("../../storage/lmdb/index.ts")),
        (Lmdb) => Lmdb.backup({ path: store.path, to: input.to, force: input.force }),
      )
    case "postgres":
      return Effect.fail(
        new UsageError({
          message: `a backup of ${nameOf(store)} is taken by pg_dump, or with those of your other databases`,
        }),
      )
  }
}

const ofNode = (target: Target, { force, to }: BackupInput) =>
  Effect.gen(function* () {
    const { layerMaintenance } = yield* Effect.promise(() => import("../../protocol/grpc/index.ts"))
    const progress = yield* Progress.make("bytes received")
    return yield* Effect.provide(
      Effect.flatMap(Maintenance, ({ backup }) =>
        writeBackup(
          Stream.tap(backup, ({ bytes }) => Effect.sync(() => progress.add(bytes.byteLength))),
          { to, force },
        ),
      ),
      layerMaintenance({ ...target, token: findToken() }),
    )
  }).pipe(Effect.scoped)

export const backup = Effect.fnUntraced(function* (input: BackupInput) {
  const source = yield* Source.find("--from", { ...input, path: input.from })
  if (input.incomplete && !("store" in source && source.store.backend === "sqlite")) {
    return yield* new UsageError({
      message: "--incomplete is for a SQLite file that no node uses: name it with --from",
    })
  }
  const bytes = yield* "store" in source ? ofStore(source.store, input) : ofNode(source, input)
  const text = `${input.to}: ${units.bytes(bytes)}, a backup of ${Source.nameOf(source)}\n`
  yield* input.json ? Output.writeJson({ backup: input.to, bytes, of: Source.nameOf(source) }) : Output.write(text)
})
