/** A directory for one test, removed with the scope. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const directoryIn = (place: () => string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(place(), "millrace-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true })),
  )

/** Where the system has such directories; in a test run, in memory (`support/memoryPlace.ts`). */
export const temporaryDirectory = directoryIn(tmpdir)

/** On a disk, for tests of kills and of faults of disks. */
export const diskDirectory = directoryIn(() => process.env["TESTS_DISK"] ?? tmpdir())
