/**
 * `doctor resolve`: decides what becomes of a log that differs here and at a peer. What is thrown away cannot be had back, so
 * somebody has to say yes to it: at the terminal, or with `--yes`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as NodeId from "../../domain/NodeId.ts"
import type { LogId } from "../../domain/LogId.ts"
import { type Resolution, SyncControl, type SyncState } from "../../replication/index.ts"
import * as Arguments from "../arguments.ts"
import { CommandFailed } from "../CommandFailed.ts"
import * as Connection from "../Connection.ts"
import * as Confirmation from "../io/Confirmation.ts"
import { logName } from "../io/messageFormat.ts"
import * as Output from "../io/Output.ts"
import { count } from "../io/units.ts"
import type { NodeAt } from "../NodeAt.ts"
import { UsageError } from "../UsageError.ts"
import { findNode } from "./syncStatus.ts"

export interface ResolveInput {
  readonly log: string
  readonly keep: "local" | "peer"
  readonly peer: Option.Option<string>
  readonly yes: boolean
  readonly at: NodeAt
  readonly json: boolean
}

const messages = (number: number): string => `${count(number)} ${number === 1 ? "message" : "messages"}`

/** What is known of the log's conflicts, with the peer that is meant or with all. */
const conflictsOf = (log: LogId, peer: string | undefined) =>
  Effect.gen(function* () {
    const control = yield* SyncControl
    const found: Array<SyncState> = []
    const events = control.status({ logs: "all", topics: log.topic, origin: log.origin, peer })
    yield* Stream.runForEach(events, (event) =>
      Effect.sync(() => {
        if (event._tag === "Logs") found.push(...event.logs.filter(({ quarantine }) => quarantine !== undefined))
      }),
    )
    return found
  })

/** Whether what is here may be thrown away. */
const confirmed = (log: LogId, conflicts: ReadonlyArray<SyncState>) =>
  Effect.gen(function* () {
    // Which one is meant, and whether there is any, the node says better.
    const [conflict] = conflicts
    if (conflict?.quarantine === undefined || conflicts.length > 1) return true
    const { localHead, peer, quarantine } = conflict
    // Where it begins is known for sure when the copies are compared; it may be before.
    if (!Confirmation.canAsk()) {
      const message = `this would throw away up to ${messages(localHead)} here: say --yes if that is meant`
      return yield* new UsageError({ message })
    }
    const which = `${logName(log)} here, from the first one on that differs (at offset ${quarantine.offset}, or before)`
    return yield* Confirmation.ask(`Throw away up to ${messages(localHead)} of ${which}, and take what ${peer} has?`)
  })

const sentence = ({ accepted, differedFrom, discarded, head, keep, log, peers }: Resolution): string => {
  const name = logName(log)
  const whose = peers.join(" and ")
  if (keep === "local") return `${name}: kept what is here; what ${whose} has is not taken`
  if (differedFrom === undefined) return `${name}: no difference was left; took ${messages(accepted)} of ${whose}`
  return `${name}: threw away ${messages(discarded)}, from offset ${differedFrom} on; took ${messages(accepted)} of ${whose}, up to offset ${head}`
}

const object = ({ head, log, ...done }: Resolution) => ({
  topic: log.topic,
  origin: NodeId.format(log.origin),
  ...done,
  offset: head,
})

export const resolve = Effect.fnUntraced(function* (input: ResolveInput) {
  const log = yield* Arguments.log(input.log)
  const target = yield* findNode(input.at)
  const peer = Option.getOrUndefined(input.peer)
  const work = Effect.gen(function* () {
    const control = yield* SyncControl
    if (input.keep === "peer" && !input.yes) {
      if (!(yield* confirmed(log, yield* conflictsOf(log, peer)))) {
        return yield* new CommandFailed({ message: "nothing was changed" })
      }
    }
    const done = yield* control.resolve(log, input.keep, peer)
    yield* input.json ? Output.writeJson(object(done)) : Output.write(`${sentence(done)}\n`)
  })
  yield* Effect.provide(work, Connection.layerOfSync(target))
})
