/** How the tests run: all of `test/`, two files at a time, for many start programs of their own. */
import { homedir } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/LongestFirst.ts"
import { quickly } from "./test/support/program.ts"

// Each file runs in a process of its own, and many start programs: what one has compiled, the others need not. It is where
// the command line keeps it too.
process.env["NODE_COMPILE_CACHE"] ??= join(homedir(), ".cache", "millrace")

export default defineConfig({
  // Examples import "millrace" by name, and mean the sources of this checkout. The last three are vite's own, which a
  // list replaces.
  ssr: { resolve: { conditions: ["millrace-source", "module", "node", "development|production"] } },
  test: {
    include: ["test/**/*.test.ts"],
    // Whatever is called a test runs: nothing is left out by its place or its name.
    exclude: [],
    // A test left as the only one would silence its neighbours.
    allowOnly: false,
    passWithNoTests: false,
    maxWorkers: 2,
    // The program that tests start is built of the sources once; what they import of ours loads quickly.
    globalSetup: ["test/support/buildProgram.ts", "test/support/memoryPlace.ts"],
    execArgv: [...quickly],
    sequence: { sequencer: LongestFirst },
    // Enough for a test that starts programs on a busy machine; longer ones say so themselves.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
})
