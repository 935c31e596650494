/**
 * A disk that fails: the cases, the library that makes system calls fail with EIO, and the application that goes through
 * the cases with it (`eioApp.ts`).
 */
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { pathTo, start } from "../crash/Program.ts"
import { compiler } from "./fsyncFault.ts"
import { clean, type Planted } from "./Ledger.ts"

export interface EioCase {
  readonly backend: "sqlite" | "lmdb"
  readonly kind: "sync" | "write"
  /** The first call of its kind that fails, from 1 on. */
  readonly call: number
  /** Whether all later ones fail, too. */
  readonly lasting: boolean
  /** From when on calls are counted: when the store is opened, or under load. */
  readonly when: "load" | "opening"
  /** The store as it is by itself, or opened again when it has failed: on the event loop, or in its threads. */
  readonly how: "stays down" | "comes back" | "comes back in threads"
  /** What is wrong on purpose, and has to be found. */
  readonly planted?: Planted | undefined
}

export interface EioOutcome {
  readonly case: EioCase
  readonly injected: number
  /** Whether it failed while it was in use, and not only while it was closed. */
  readonly hasFailed: boolean
  readonly unknown: number
  readonly acknowledged: number
  readonly verdict: string
  readonly problems: ReadonlyArray<string>
}

/** Whether a case ended as it should. One that crashed has no verdict. */
export const isClean = ({ problems, verdict }: Partial<EioOutcome>): boolean =>
  verdict === clean && problems?.length === 0

/** Where syncs cost nothing, if there is such a place: what they return is what counts here. */
const memoryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "millrace-eio-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true })),
)

/** Goes through cases in a process of its own. */
export const runCases = (
  cases: ReadonlyArray<EioCase>,
  onOutcome: (outcome: EioOutcome) => void = () => {},
): Effect.Effect<ReadonlyArray<EioOutcome>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* memoryDirectory
    const library = join(directory, "eio.so")
    const control = join(directory, "control")
    const source = pathTo(import.meta.url, "./shim/eio.c")
    writeFileSync(control, Buffer.alloc(20))
    yield* Effect.promise(() =>
      promisify(execFile)(compiler!, ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"]),
    )
    const app = yield* start([pathTo(import.meta.url, "./eioApp.ts"), directory, JSON.stringify(cases)], {
      env: { LD_PRELOAD: library, EIO_CONTROL: control, EIO_FILES: "/bus." },
    })
    app.closeInput()
    let told = 0
    const outcomes = (): ReadonlyArray<EioOutcome> =>
      app.stdout
        .toString("utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as EioOutcome)
    yield* Effect.orDie(
      app.until(() => {
        const all = outcomes()
        for (; told < all.length; told++) onOutcome(all[told]!)
        return all.length === cases.length
      }),
    )
    yield* app.ended
    return outcomes()
  })

/** Each of the first so many calls of both kinds, once and for good. */
export const sweep = (
  calls: number,
  more: Pick<EioCase, "when" | "how"> & { readonly backend?: EioCase["backend"]; readonly planted?: Planted },
): ReadonlyArray<EioCase> =>
  (["sync", "write"] as const).flatMap((kind) =>
    [false, true].flatMap((lasting) =>
      Array.from({ length: calls }, (_, i) => ({ backend: "sqlite" as const, kind, call: i + 1, lasting, ...more })),
    ),
  )
