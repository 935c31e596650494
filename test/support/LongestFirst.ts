/**
 * The order of the files in a run: those that take longest begin first, so that no long one is left for the end, where
 * one of two workers would have nothing to do. Vitest does so where it remembers an earlier run; in a clean checkout it
 * knows nothing but the size of files, and some short ones take long.
 */
import { existsSync } from "node:fs"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { root } from "./program.ts"

/** Short files that take more than half a minute. */
const long = [
  "test/crash/kills.test.ts",
  "test/crash/replication.test.ts",
  "test/replication/wire.test.ts",
  "test/faults/slowSubscriber.test.ts",
  "test/topics/laws.test.ts",
  "test/storage/lmdbWorker.test.ts",
  "test/storage/sqliteWorker.test.ts",
].map((path) => root + path)

const missing = long.filter((path) => !existsSync(path))
if (missing.length > 0) throw new Error(`${missing.join(", ")}: not there; see LongestFirst.ts`)

export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => long.includes(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
