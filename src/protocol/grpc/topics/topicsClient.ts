/**
 * The client: the service `Topics` of a node elsewhere, with the promises it has in process.
 *
 * It connects when it is first used. Where no node answers, an operation fails with `Unavailable` and a sentence that
 * names the URL; once connected, subscriptions, consumers and publishes with keys outlive the loss of the connection.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import type { Message } from "../../../domain/Message.ts"
import * as NodeId from "../../../domain/NodeId.ts"
import * as Topic from "../../../domain/Topic.ts"
import * as TopicFilter from "../../../domain/TopicFilter.ts"
import { consumers } from "../../../topics/consuming.ts"
import { isDraftError, makeDrafter, type PendingDraft } from "../../../topics/draft.ts"
import { type PublishError, Topics } from "../../../topics/Topics.ts"
import { traced } from "../../../topics/tracing.ts"
import { only } from "../server/answers.ts"
import * as codec from "../codec/codec.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import * as Connection from "../client/connection.ts"
import * as cursorCodec from "../cursors/cursorCodec.ts"
import { CursorsService } from "../gen/millrace/v1/cursors_pb.ts"
import { type Draft, TopicsService } from "../gen/millrace/v1/topics_pb.ts"
import * as HeldCursor from "../cursors/heldCursor.ts"
import * as Publisher from "./publisher.ts"
import type { ReconnectOptions } from "../client/reconnecting.ts"
import type { ReconnectEvent } from "../client/ReconnectEvent.ts"
import * as Subscription from "./subscription.ts"

export interface GrpcTopicsOptions {
  /** `grpc://HOST:PORT` */
  readonly url: string
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** How long an operation may wait for its answer; by default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long publishes with keys are repeated after the connection was lost; by default 30 seconds, well inside the
   * two minutes that a node remembers keys. 0 for not at all.
   */
  readonly repeatFor?: Duration.Input | undefined
  /** How long a subscription or a consumer tries to come back after its connection was lost; by default for ever. 0 for not at all. */
  readonly reconnectFor?: Duration.Input | undefined
  /** Told when the connection is lost while a subscription or a publish waits for it, at each attempt, and when it is back. */
  readonly onReconnect?: ((event: ReconnectEvent) => Effect.Effect<void>) | undefined
  /**
   * After this time of silence the node is asked whether it is still there, while anything waits for it, and the
   * connection is given up where no answer comes within half of it; by default 20 seconds.
   */
  readonly keepAlive?: Duration.Input | undefined
  /** The largest answer to take from the node, in bytes; by default 64 MiB. */
  readonly maxReceiveBytes?: number | undefined
}

const invalid = (argument: string, message: string): InvalidArgument => new InvalidArgument({ argument, message })

const check = (argument: string, wrong: string | undefined): Effect.Effect<void, InvalidArgument> =>
  wrong === undefined ? Effect.void : Effect.fail(invalid(argument, wrong))

const checkOrigin = (origin: NodeId.NodeId | undefined): Effect.Effect<void, InvalidArgument> =>
  origin === undefined ? Effect.void : check("origin", NodeId.problem(origin))

/** A node's own rules for drafts, apart from its size limit: what it would refuse does not even leave. */
const makeDraft = makeDrafter(Number.MAX_SAFE_INTEGER)

const draftMessage = ({ topic, payload, headers, key }: PendingDraft): Draft => ({
  $typeName: "millrace.v1.Draft",
  topic,
  payload,
  headers,
  ...(key === undefined ? {} : { key }),
})

const reading = only("InvalidArgument", "StorageFailed")
const changing = only("InvalidArgument", "CursorUnknown", "StorageFailed", "StorageFull", "OutcomeUnknown")

/** The topics of the node at a URL. Fails with `InvalidArgument` where the URL is none of ours. */
export const layerTopics = (options: GrpcTopicsOptions): Layer.Layer<Topics, InvalidArgument> =>
  Layer.effect(
    Topics,
    Effect.gen(function* () {
      const { method } = TopicsService
      const connection = yield* Connection.make({
        url: options.url,
        token: options.token,
        tls: options.tls,
        receiveBytesMax: options.maxReceiveBytes ?? 64 * 1024 * 1024,
        timeoutMillis: Duration.toMillis(options.timeout ?? "30 seconds"),
        keepAlive: options.keepAlive,
      })
      const onReconnect = options.onReconnect ?? (() => Effect.void)
      const runFork = Effect.runForkWith(yield* Effect.context<never>())
      const publisher = yield* Publisher.make({
        connection,
        onReconnect: (event) => void runFork(onReconnect(event)),
        repeatMillis: Duration.toMillis(options.repeatFor ?? "30 seconds"),
      })
      const reconnect: ReconnectOptions = {
        reconnectMillis: Duration.toMillis(options.reconnectFor ?? Duration.infinity),
        onReconnect,
      }

      const holdCursor = HeldCursor.hold(connection, reconnect)

      const topics = Topics.of({
        publish: (topic, payload, options) =>
          Effect.suspend(() => {
            const draft = makeDraft(topic, payload, options)
            if (isDraftError(draft)) return Effect.fail(draft)
            return Effect.map(publisher.publish([draftMessage(draft)], false), ([message]) => message!)
          }),

        publishAll: (drafts) =>
          Effect.suspend((): Effect.Effect<ReadonlyArray<Message>, PublishError> => {
            const checked: Array<Draft> = []
            for (const { topic, payload, ...options } of drafts) {
              const draft = makeDraft(topic, payload, options)
              if (isDraftError(draft)) return Effect.fail(draft)
              checked.push(draftMessage(draft))
            }
            return checked.length === 0 ? Effect.succeed([]) : publisher.publish(checked, true)
          }),

        fetch: Effect.fnUntraced(function* (topic, options = {}) {
          yield* check("topic", Topic.problem(topic))
          const { origin, from, limit } = options
          yield* checkOrigin(origin)
          if (limit !== undefined) yield* codec.unsigned("limit", limit)
          const answers = yield* reading(
            connection.readAll(method.fetch, {
              $typeName: "millrace.v1.FetchRequest",
              topic,
              ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
              ...(from === undefined ? {} : { from: yield* codec.unsigned("from", from) }),
              // Any more come in pages anyway.
              ...(limit === undefined ? {} : { limit: Math.min(limit, 0xff_ff_ff_ff) }),
            }),
          )
          return yield* Effect.try({
            try: () => answers.flatMap(({ messages }) => codec.messages(messages)),
            catch: (error) =>
              new Unavailable({ message: `the node at ${connection.url} sent what cannot be understood: ${error}` }),
          })
        }),

        head: Effect.fnUntraced(function* (topic, origin) {
          yield* check("topic", Topic.problem(topic))
          yield* checkOrigin(origin)
          const { offset } = yield* reading(
            connection.read(method.head, {
              $typeName: "millrace.v1.HeadRequest",
              topic,
              ...(origin === undefined ? {} : { origin: codec.nodeMessage(origin) }),
            }),
          )
          return offset === undefined ? Option.none() : Option.some(Number(offset))
        }),

        heads: Effect.map(
          reading(connection.read(method.listHeads, { $typeName: "millrace.v1.ListHeadsRequest" })),
          ({ heads }) =>
            heads.map(({ log, offset }) => ({
              topic: log?.topic ?? "",
              origin: codec.plainNode(log?.origin),
              offset: Number(offset),
            })),
        ),

        deleteRange: Effect.fnUntraced(function* (topic, from, to) {
          yield* check("topic", Topic.problem(topic))
          const { deletedCount } = yield* only(
            "InvalidArgument",
            "NotPermitted",
            "StorageFailed",
            "StorageFull",
            "OutcomeUnknown",
          )(
            connection.write(method.deleteRange, {
              $typeName: "millrace.v1.DeleteRangeRequest",
              topic,
              from: yield* codec.unsigned("from", from),
              to: yield* codec.unsigned("to", to),
            }),
          )
          return Number(deletedCount)
        }),

        subscribe: (filter, options = {}) =>
          Stream.unwrap(
            Effect.as(
              Effect.andThen(check("topic", TopicFilter.problem(filter)), checkOrigin(options.origin)),
              Subscription.subscribe(connection, reconnect, filter, options),
            ),
          ),

        ...consumers(holdCursor),

        holdCursor,

        cursors: Effect.map(
          reading(connection.read(CursorsService.method.listCursors, { $typeName: "millrace.v1.ListCursorsRequest" })),
          ({ cursors }) => cursors.map(cursorCodec.state),
        ),

        resetCursor: Effect.fnUntraced(function* (name, to) {
          const request = { cursor: name, to: yield* cursorCodec.toMessage(to) }
          yield* changing(
            connection.write(CursorsService.method.resetCursor, {
              $typeName: "millrace.v1.ResetCursorRequest",
              ...request,
            }),
          )
        }),

        deleteCursor: (cursor) =>
          Effect.asVoid(
            changing(
              connection.write(CursorsService.method.deleteCursor, {
                $typeName: "millrace.v1.DeleteCursorRequest",
                cursor,
              }),
            ),
          ),

        cursor: Effect.map(
          reading(connection.read(method.cursor, { $typeName: "millrace.v1.CursorRequest" })),
          ({ cursor }) => ({ incarnation: cursor?.incarnation ?? "", position: Number(cursor?.position ?? 0n) }),
        ),

        info: Effect.map(
          reading(connection.read(method.info, { $typeName: "millrace.v1.InfoRequest" })),
          ({ node, incarnation }) => ({ node: codec.plainNode(node), incarnation }),
        ),

        check: Effect.asVoid(
          only(
            "StorageFailed",
            "StorageFull",
          )(connection.read(method.check, { $typeName: "millrace.v1.CheckRequest" })),
        ),
      })
      return traced(topics, yield* Effect.context())
    }),
  )
