/**
 * Examines the store in a directory, whether a node runs on it or not, without changing its data.
 */
import { type ChildProcess, fork } from "node:child_process"
import { statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { StoreUnusable } from "../../domain/errors.ts"
import { type ExaminationEvent, type FindingKind, remedies } from "../Examination.ts"
import { messageOf } from "./Commits.ts"
import type { ProcessMessage } from "./examineProcess.ts"
import { checkData, dataPath } from "./StoreDirectory.ts"

const processFile = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./examineProcess.ts" : "./examineProcess.js", import.meta.url),
)

const notAvailable = (path: string, error: unknown): StoreUnusable =>
  new StoreUnusable({ reason: "not available", message: `${path} cannot be examined: ${messageOf(error)}` })

/** The end of an examination that could not go on. */
const ended = (kind: FindingKind, message: string, bytes: number): ReadonlyArray<ExaminationEvent> => [
  { _tag: "Found", finding: { kind, message, remedy: remedies[kind] } },
  { _tag: "Examined", summary: { logs: 0, messages: 0, queues: 0, items: 0, bytes, findings: 1 } },
]

/** Looks at the store of a directory. Fails where there is none, or where it cannot be read. */
export const examine = (path: string): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.unwrap(
    Effect.map(
      Effect.try({
        try: () => checkData(dataPath(path)),
        catch: (error) => notAvailable(path, error),
      }),
      (check) => {
        switch (check.type) {
          case "not a database":
            return Stream.fromIterable(ended(check.type, `${dataPath(path)} is not a database of LMDB`, sizeOf(path)))
          case "cut short":
            return Stream.fromIterable(
              ended(
                "damaged database",
                `${dataPath(path)} has ${check.bytes} of its ${check.wanted} bytes`,
                check.bytes,
              ),
            )
          case "sound":
            return examineInProcess(path)
        }
      },
    ),
  )

const sizeOf = (path: string): number => statSync(dataPath(path)).size

const examineInProcess = (path: string): Stream.Stream<ExaminationEvent, StoreUnusable> =>
  Stream.callback<ExaminationEvent, StoreUnusable>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = fork(processFile, [path], { execArgv: [], stdio: ["ignore", "ignore", "ignore", "ipc"] })
        const end = (events: ReadonlyArray<ExaminationEvent>) => {
          Queue.offerAllUnsafe(queue, events)
          Queue.endUnsafe(queue)
        }
        const fail = (error: unknown) => void Queue.failCauseUnsafe(queue, Cause.fail(notAvailable(path, error)))
        child.on("message", (message: ProcessMessage) => {
          switch (message.type) {
            case "events":
              return void Queue.offerAllUnsafe(queue, message.events)
            case "no store":
              return end(ended("not a database", `${path} is an environment of another application`, sizeOf(path)))
            case "failed":
              return end(ended("damaged database", `LMDB cannot open it: ${message.message}`, sizeOf(path)))
            case "done":
              return Queue.endUnsafe(queue)
          }
        })
        child.on("error", fail)
        child.on("exit", (code, signal) => {
          if (signal === null) return fail(`the examination ended with code ${code}`)
          end(ended("damaged database", `LMDB cannot read all of it: reading it ended with ${signal}`, sizeOf(path)))
        })
        return child
      }),
      (child) => Effect.promise(() => gone(child)),
    ),
  )

/** Ends the process, if it has not ended yet. */
const gone = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resolve()
    child.removeAllListeners("exit")
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })
