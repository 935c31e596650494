/**
 * The program that tests start, over and over again. A test run has it in a few files, built from the sources as they
 * are when it begins (`buildProgram.ts`): that loads in half the time of some five hundred modules. It is laid out as in an
 * installed package. Outside a test run it is what users of a checkout start.
 */
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

/** Where a test run has the program. */
export const builtDirectory = `${root}.cache/program`

/** What is loaded by its name, where it starts a process or a thread: source and built file. */
export const built = {
  start: "src/cli/start.ts",
  thread: "src/storage/worker/thread.ts",
  SqliteStores: "src/storage/sqlite/SqliteStores.ts",
  LmdbStores: "src/storage/lmdb/LmdbStores.ts",
  examineThread: "src/storage/sqlite/examineThread.ts",
  examineProcess: "src/storage/lmdb/examineProcess.ts",
}

export const builtFile = (name: string): string => `${builtDirectory}/dist/cli/${name}.js`

/** Set by a test run that has built the program. */
export const isBuilt = (): boolean => process.env["PROGRAM_IS_BUILT"] !== undefined

/** Flags for Node, for a test's own program in TypeScript: what it imports of ours loads quickly, as in `quickStart.ts`. */
export const quickly: ReadonlyArray<string> = ["--import", new URL("quickStart.ts", import.meta.url).href]

/** The script to run. */
export const millrace: string = `${isBuilt() ? builtDirectory : root}/bin/millrace.js`
