/**
 * `sync status`: how a node stands with its peers. While a large backlog is on its way, a terminal shows how far it is, and
 * then how things stand; with `--watch` everybody waits until the node is in step.
 *
 * Ends with exit code 1 where somebody has to look after a peer. To be behind, and catching up, is nothing wrong.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import {
  failures,
  isTrouble,
  type PeerStatus,
  standingOf,
  type StatusWanted,
  SyncControl,
  type SyncState,
  type SyncStatus,
} from "../../replication/index.ts"
import { CommandFailed } from "../CommandFailed.ts"
import * as Connection from "../Connection.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import { findTarget, type NodeAt, type Target } from "../NodeAt.ts"
import { UsageError } from "../UsageError.ts"
import { logObject, noPeers, peerObject, text } from "./statusText.ts"

export interface SyncStatusInput {
  readonly all: boolean
  readonly watch: boolean
  readonly peer: Option.Option<string>
  readonly topic: Option.Option<string>
  readonly at: NodeAt
  readonly json: boolean
}

/** What is shown as it comes where nobody asked to watch. */
const largeBacklog = 1000
const lookMillis = 200

type Control = SyncControl["Service"]

/** The node to ask, over gRPC alone. */
export const findNode = (at: NodeAt): Effect.Effect<Target, UsageError> =>
  Effect.flatMap(findTarget(at), (target) =>
    Connection.socketOf(target.url) === undefined
      ? Effect.succeed(target)
      : Effect.fail(
          new UsageError({
            message: "peers are asked about over gRPC, not over a socket: give --url grpc://HOST:PORT",
          }),
        ),
  )

const lookAtPeers = (control: Control, peer: string | undefined) =>
  Effect.flatMap(
    Stream.runHead(Stream.filter(control.status({ logs: "none", peer }), (event) => event._tag === "Peers")),
    Option.match({
      onNone: () => Effect.fail(new CommandFailed({ message: "the node gave no answer about its peers" })),
      onSome: ({ status }) => Effect.succeed(status),
    }),
  )

const behindOf = (peers: ReadonlyArray<PeerStatus>): number => peers.reduce((sum, { behind }) => sum + behind, 0)

/** What fails now and did not before. */
const newsOf = () => {
  let told: ReadonlySet<string> = new Set()
  return ({ peers }: SyncStatus): ReadonlyArray<string> => {
    const sentences = failures(peers)
    const news = sentences.filter((sentence) => !told.has(sentence))
    told = new Set(sentences)
    return news
  }
}

/** Shows how far a backlog is, and tells what fails meanwhile, until it is over. */
const awaitBacklog = (
  first: SyncStatus,
  look: ReturnType<typeof lookAtPeers>,
  isOver: (status: SyncStatus) => boolean,
) =>
  Effect.gen(function* () {
    const progress = yield* Progress.make("fetched", { isAlone: true })
    let status = first
    let most = 0
    const news = newsOf()
    while (!isOver(status)) {
      const behind = behindOf(status.peers)
      most = Math.max(most, behind)
      progress.show(most - behind, most)
      yield* Effect.forEach(news(status), progress.tell, { discard: true })
      yield* Effect.sleep(lookMillis)
      status = yield* look
    }
  }).pipe(Effect.scoped)

const isInStep = ({ peers }: SyncStatus): boolean => peers.every((state) => standingOf(state) === "in step")
const isIdle = ({ peers }: SyncStatus): boolean => peers.every((state) => standingOf(state) !== "syncing")

const print = ({ json, all }: SyncStatusInput, control: Control, wanted: StatusWanted) =>
  Effect.gen(function* () {
    let status: SyncStatus | undefined
    const logs: Array<SyncState> = []
    yield* Stream.runForEach(control.status(wanted), (event) => {
      if (event._tag === "Logs") {
        if (json) return Output.write(event.logs.map((log) => `${JSON.stringify(logObject(log))}\n`).join(""))
        for (const log of event.logs) logs.push(log)
        return Effect.void
      }
      status = event.status
      return json
        ? Output.write(event.status.peers.map((peer) => `${JSON.stringify(peerObject(peer))}\n`).join(""))
        : Effect.void
    })
    if (status === undefined) return yield* new CommandFailed({ message: "the node gave no answer about its peers" })
    if (!json) yield* Output.write(text(status, logs, all))
    return status
  })

export const syncStatus = Effect.fnUntraced(function* (input: SyncStatusInput) {
  const target = yield* findNode(input.at)
  const peer = Option.getOrUndefined(input.peer)
  const work = Effect.gen(function* () {
    const control = yield* SyncControl
    const look = lookAtPeers(control, peer)
    const first = yield* look
    if (first.totals.peers === 0) {
      return yield* input.json ? Effect.void : Output.write(`${noPeers(first.node)}\n`)
    }
    const isSeen = process.stdout.isTTY && Progress.hasTerminal() && !input.json
    if (input.watch) {
      yield* awaitBacklog(first, look, isInStep)
    } else if (isSeen && behindOf(first.peers) >= largeBacklog) {
      yield* awaitBacklog(first, look, isIdle)
    }
    const topics = Option.getOrUndefined(input.topic)
    const { peers } = yield* print(input, control, { logs: input.all ? "all" : "troubled", peer, topics })
    const troubled = peers.filter((state) => isTrouble(standingOf(state)))
    if (troubled.length === 0) return
    const which = troubled.length === 1 ? troubled[0]!.peer : `${troubled.length} of ${peers.length} peers`
    return yield* new CommandFailed({ message: `something is wrong with ${which}` })
  })
  yield* Effect.provide(work, Connection.layerOfSync(target))
})
