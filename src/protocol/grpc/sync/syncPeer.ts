/**
 * A peer that is asked over `millrace.v1`, and tells by itself which logs move. All that it sends is bounded, whatever
 * it sends.
 */
import { type ServiceError, status } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LogHead } from "../../../domain/LogId.ts"
import { PeerMisbehaved, type PeerRun, type PeerUnreachable } from "../../../replication/index.ts"
import { type Collector, noAnswer } from "../client/connection.ts"
import { type Next, nextOf } from "../client/nextAnswer.ts"
import * as codec from "../codec/codec.ts"
import { fromStatus } from "../codec/errorCodec.ts"
import { type HeadsResponse, type SyncServiceFetchResponse, SyncService } from "../gen/millrace/v1/sync_pb.ts"
import { headsOf } from "./headBatches.ts"
import { RunCollector } from "./logBlocks.ts"
import { Patience } from "./Patience.ts"
import { identityMillis, type PeerConnection, unreachable } from "./PeerConnection.ts"
import type { Spoken } from "./Spoken.ts"

const { method } = SyncService

/** Messages of one fetch, which are stored in one commit: a megabyte of small ones. Where they are large, the peer gives fewer. */
const fetchMax = 8000

/** Bytes after which no more of a fetch is taken; who keeps to the contract gives about 4 MiB. */
const fetchBytesMax = 32 * 1024 * 1024

/** Logs that are taken note of at most, about 100 MB of them. */
export const headsMax = 250_000

/** The node does not know this service: it is none of ours, or an older one. */
export class NotServed {
  readonly _tag = "NotServed"
}

const notServed = ({ code }: ServiceError): NotServed | undefined =>
  code === status.UNIMPLEMENTED ? new NotServed() : undefined

/** Collects answers until that is enough, or one of them is wrong: then its value is why. */
const collecting = <Answer, A>({ take, value }: Collector<Answer, A>): Collector<Answer, A | Error> => {
  let problem: Error | undefined
  return {
    take: (answer) => {
      try {
        return take(answer)
      } catch (error) {
        problem = error instanceof Error ? error : new Error(String(error))
        return false
      }
    },
    value: () => problem ?? value(),
  }
}

export const overSync = ({ abandon, asking, connection }: PeerConnection): Spoken<NotServed> => {
  const { url } = connection
  const patience = new Patience()

  const sentence = (problem: Error) => `the node at ${url} sent what cannot be taken: ${problem.message}`

  const misbehaved = (reason: PeerMisbehaved["reason"], problem: Error): Effect.Effect<never, PeerMisbehaved> =>
    Effect.fail(new PeerMisbehaved({ reason, message: sentence(problem) }))

  const listing = () => {
    const listed: Array<LogHead> = []
    return collecting<HeadsResponse, ReadonlyArray<LogHead>>({
      take: ({ heads }) => {
        patience.heard()
        const more = headsOf(heads)
        if (more.length === 0) throw new Error("an answer without logs")
        if (listed.length + more.length > headsMax) throw new Error(`more than ${headsMax.toLocaleString("en")} logs`)
        for (const head of more) listed.push(head)
        return true
      },
      value: () => listed,
    })
  }

  const fetching = (from: number, limit: number) => {
    const collected = new RunCollector(from)
    return collecting<SyncServiceFetchResponse, PeerRun>({
      take: (answer) => {
        patience.heard()
        collected.add(answer)
        // That there are too many is seen by who asked.
        return collected.count <= limit && collected.bytes <= fetchBytesMax
      },
      value: () => collected.run,
    })
  }

  /** The next answer; fails when the stream ends, or where there is silence for too long, whatever was asked. */
  const heard = <A>(next: Effect.Effect<Next<A>>): Effect.Effect<A, PeerUnreachable> =>
    Effect.flatMap(Effect.timeoutOption(next, patience.silenceMillis), (step) => {
      if (Option.isSome(step)) {
        if ("failure" in step.value) return Effect.fail(ended(step.value.failure))
        patience.heard()
        return Effect.succeed(step.value.answer)
      }
      if (!patience.isOver) return heard(next)
      const reason = `the node at ${url} has not been heard of for ${patience.silenceMillis / 1000} seconds`
      patience.lost()
      return Effect.andThen(abandon(reason), Effect.fail(unreachable({ message: reason })))
    })

  const ended = (failure: ServiceError | undefined): PeerUnreachable =>
    failure === undefined
      ? unreachable({ message: `the node at ${url} tells no more what moves` })
      : unreachable(fromStatus(failure) ?? { message: noAnswer(url, failure) })

  return {
    fetchMax,

    identity: asking(
      connection.read(
        method.identify,
        { $typeName: "millrace.v1.IdentifyRequest" },
        { meaning: notServed, timeoutMillis: identityMillis },
      ),
    ).pipe(
      Effect.mapError((error) => (error._tag === "NotServed" ? error : unreachable(error))),
      Effect.map(({ node }) => codec.plainNode(node)),
    ),

    heads: asking(connection.collect(method.heads, { $typeName: "millrace.v1.HeadsRequest" }, listing)).pipe(
      Effect.mapError(unreachable),
      Effect.flatMap((taken) => (taken instanceof Error ? misbehaved("malformed log", taken) : Effect.succeed(taken))),
    ),

    fetch: (log, from, limit) => {
      const { origin, topic } = log
      const request = {
        $typeName: "millrace.v1.SyncServiceFetchRequest" as const,
        log: { $typeName: "millrace.v1.Log" as const, topic, origin: codec.nodeMessage(origin) },
        from: BigInt(from),
        limit,
      }
      const { fetchMillis: timeoutMillis } = patience
      const asked = asking(connection.collect(method.fetch, request, () => fetching(from, limit), { timeoutMillis }))
      return patience.during(
        asked.pipe(
          Effect.mapError(unreachable),
          Effect.flatMap((taken) =>
            taken instanceof Error ? misbehaved("malformed message", taken) : Effect.succeed(taken),
          ),
        ),
      )
    },

    moved: Stream.unwrap(
      Effect.gen(function* () {
        yield* asking(Effect.void)
        const { call } = connection.openStream(method.watchHeads, { $typeName: "millrace.v1.WatchHeadsRequest" })
        yield* Effect.addFinalizer(() => Effect.sync(() => call.cancel()))
        const next = nextOf(call)
        let hasBegun = false
        const pull: Effect.Effect<readonly [ReadonlyArray<LogHead>], PeerUnreachable> = Effect.suspend(() =>
          Effect.flatMap(heard(next), ({ heads }) => {
            // All but the first of those that say nothing only say that it is there.
            if (hasBegun && heads === undefined) return pull
            hasBegun = true
            return Effect.map(
              Effect.try({
                try: () => headsOf(heads),
                catch: (error) => unreachable({ message: sentence(error as Error) }),
              }),
              (moved) => [moved] as const,
            )
          }),
        )
        return Stream.fromPull(Effect.succeed(pull))
      }),
    ),
  }
}
