/**
 * A client of an exchange elsewhere. It connects again by itself when its connection is lost, under its name and with
 * its subscriptions; what was sent to it meanwhile is gone, as ever on the live plane.
 *
 * What is asked while there is no connection waits for it, for a while. What was asked and not acknowledged when the
 * connection was lost fails: it may have happened, or not.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ClientName from "../../../domain/ClientName.ts"
import type { AccessDenied, InvalidArgument } from "../../../domain/errors.ts"
import { Disconnected } from "../../../domain/liveErrors.ts"
import * as LiveTopic from "../../../domain/LiveTopic.ts"
import { nameProblem } from "../../../domain/Name.ts"
import * as NameMask from "../../../domain/NameMask.ts"
import { toBytes } from "../../../domain/utf8.ts"
import {
  type ConnectError,
  type ConnectOptions,
  type ExchangeClient,
  inboxBytesMaxDefault,
  inboxFramesMaxDefault,
  invalid,
  leaveWords,
  type PublishLiveError,
  type PublishLiveOptions,
  ReceivedQueue,
  type SendError,
  type SendOptions,
  type SubscribeLiveError,
} from "../../../exchange/index.ts"
import type { TopicsOperation } from "../codec/clientFrames.ts"
import { isProcessed, Qos } from "../codec/qos.ts"
import { ResultCode } from "../codec/results.ts"
import { broadcastAnswer, filterAnswer, publishAnswer, publishUnanswered, sendAnswer } from "./answers.ts"
import { type Dial, type Keeper, keepConnected } from "./keepConnected.ts"
import { Link, type Write } from "./Link.ts"
import type { ClientSettings } from "./settings.ts"

type Payload = Uint8Array | string

const qosOf = (options: SendOptions = {}): Qos => {
  const { isProcessed: processed = true, isRealtime: realtime = false } = options
  if (realtime) return processed ? Qos.realtimeProcessed : Qos.realtime
  return processed ? Qos.processed : Qos.no
}

const problemOf = (argument: string, problem: string | undefined): InvalidArgument | undefined =>
  problem === undefined ? undefined : invalid(argument, problem)

const targetProblem = (argument: string, name: string): InvalidArgument | undefined =>
  problemOf(argument, nameProblem("client name", name, ClientName.clientNameBytesMax))

/** Something to be asked of the server, once for each item, in order. */
interface Question<A, E> {
  readonly problem: InvalidArgument | undefined
  readonly items: ReadonlyArray<A>
  readonly qos: Qos
  readonly write: (item: A) => Write
  /** What an answer means that is not ok. */
  readonly answer: (result: number) => E
  /** What it means that none came. */
  readonly unanswered: E
}

/** A client whose first connection is made; it lives as long as the scope. */
export const make = Effect.fnUntraced(function* (
  dial: Dial,
  name: string,
  settings: ClientSettings,
  options: ConnectOptions = {},
  onEvent?: Keeper["onEvent"],
): Effect.fn.Return<ExchangeClient, ConnectError, Scope.Scope> {
  const problem = ClientName.problem(name)
  if (problem !== undefined) return yield* Effect.fail(invalid("name", problem))
  const principal = ClientName.primaryOf(name)

  let ended: Disconnected | undefined
  const gone = (reason: string, why: string): Disconnected =>
    new Disconnected({ name, reason, message: `the client ${name} is not connected any more: ${why}` })
  const lost = gone("connectionLost", "its connection was lost")

  const queue = new ReceivedQueue(
    options.inboxFramesMax ?? inboxFramesMaxDefault,
    options.inboxBytesMax ?? inboxBytesMaxDefault,
    () => link.onRead(),
  )
  const end = (error: Disconnected): void => {
    if (ended !== undefined) return
    ended = error
    queue.end(error.reason === "left" ? undefined : error)
    link.end()
  }
  const link: Link = new Link(settings, queue, () => {
    if (options.overflow !== "dropNewest") end(gone("overflow", leaveWords.overflow))
  })

  yield* keepConnected(dial, name, settings, link, {
    onEnd: ({ message }) => end(gone("revoked", message)),
    isWanted: () => ended === undefined,
    onEvent,
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => end(gone("left", leaveWords.left))))

  const whenFree: Effect.Effect<void, Disconnected> = Effect.suspend(() => {
    if (ended !== undefined) return Effect.fail(ended)
    if (!link.isBusy) return Effect.void
    const free = Effect.callback<void>((resume) => {
      const takeBack = link.whenFree(() => resume(Effect.void))
      return Effect.sync(takeBack)
    })
    const bounded = link.isConnected
      ? free
      : Effect.timeoutOrElse(free, { duration: settings.offlineMillisMax, orElse: () => Effect.fail(lost) })
    return Effect.andThen(bounded, whenFree)
  })

  const ask = <A, E>({
    problem,
    items,
    qos,
    write,
    answer,
    unanswered,
  }: Question<A, E>): Effect.Effect<void, E | InvalidArgument | Disconnected> =>
    Effect.suspend((): Effect.Effect<void, E | InvalidArgument | Disconnected> => {
      if (problem !== undefined) return Effect.fail(problem)
      let pending = isProcessed(qos) ? items.length : 0
      let failed: E | undefined
      let settled: (() => void) | undefined
      const onAck = (result: number | undefined): void => {
        pending--
        if (result !== ResultCode.ok) failed ??= result === undefined ? unanswered : answer(result)
        if (pending === 0 || failed !== undefined) settled?.()
      }
      const result = (): Effect.Effect<void, E> => (failed === undefined ? Effect.void : Effect.fail(failed))
      const from = (start: number): Effect.Effect<void, E | Disconnected> =>
        Effect.suspend((): Effect.Effect<void, E | Disconnected> => {
          for (let at = start; at < items.length; at++) {
            if (failed !== undefined) return Effect.fail(failed)
            if (link.isBusy || ended !== undefined) return Effect.andThen(whenFree, from(at))
            link.ask(write(items[at]!), qos, onAck)
          }
          if (pending === 0 || failed !== undefined) return result()
          return Effect.callback<void, E>((resume) => {
            settled = () => resume(result())
          })
        })
      return from(0)
    })

  const sendAll = (
    target: string,
    payloads: ReadonlyArray<Payload>,
    sendOptions?: SendOptions,
  ): Effect.Effect<void, SendError> =>
    ask<Payload, SendError>({
      problem: targetProblem("target", target),
      items: payloads,
      qos: qosOf(sendOptions),
      write: (payload) => (writer, opId, qos) => writer.message(opId, qos, target, toBytes(payload)),
      answer: sendAnswer(principal, target),
      unanswered: lost,
    })

  const publishAll = (
    topic: string,
    payloads: ReadonlyArray<Payload>,
    { receiver, ...sendOptions }: PublishLiveOptions = {},
  ): Effect.Effect<void, PublishLiveError> =>
    ask<Payload, PublishLiveError>({
      problem:
        problemOf("topic", LiveTopic.problem(topic)) ??
        (receiver === undefined ? undefined : targetProblem("receiver", receiver)),
      items: payloads,
      qos: qosOf(sendOptions),
      write: (payload) => (writer, opId, qos) => {
        if (receiver === undefined) writer.publish(opId, qos, topic, toBytes(payload))
        else writer.publishFor(opId, qos, topic, receiver, toBytes(payload))
      },
      answer: publishAnswer(principal, topic),
      unanswered: publishUnanswered(topic),
    })

  const askFilters =
    (type: TopicsOperation) =>
    (...filters: ReadonlyArray<string>): Effect.Effect<void, SubscribeLiveError> =>
      Effect.forEach(
        filters,
        (filter) =>
          ask<string, SubscribeLiveError>({
            problem: problemOf("filter", LiveTopic.filterProblem(filter)),
            items: [filter],
            qos: Qos.processed,
            write: (one) => (writer, opId, qos) => writer.topics(type, opId, qos, [one]),
            answer: filterAnswer(principal, name, filter),
            unanswered: lost,
          }).pipe(Effect.tap(() => Effect.sync(() => link.remember(type, filter)))),
        { discard: true, concurrency: "unbounded" },
      )

  return {
    name,
    inbox: queue.stream,
    onLost: (callback) => link.onLost(callback),
    send: (target, payload, sendOptions) => sendAll(target, [payload], sendOptions),
    sendAll,
    broadcast: (mask, payload, sendOptions) =>
      ask<Payload, InvalidArgument | AccessDenied | Disconnected>({
        problem: problemOf("mask", NameMask.problem(mask)),
        items: [payload],
        qos: qosOf(sendOptions),
        write: (one) => (writer, opId, qos) => writer.broadcast(opId, qos, mask, toBytes(one)),
        answer: broadcastAnswer(principal, mask),
        unanswered: lost,
      }),
    publish: (topic, payload, publishOptions) => publishAll(topic, [payload], publishOptions),
    publishAll,
    subscribe: askFilters("subscribe"),
    unsubscribe: askFilters("unsubscribe"),
    exclude: askFilters("exclude"),
    include: askFilters("unexclude"),
  }
})
