/**
 * The client's connection to a node: it is made when the first call needs it, and again whenever a call finds it lost.
 *
 * What goes wrong comes out as the errors of the service: the node's own where it sent one, else `Unavailable` with one
 * sentence that names the URL, or `OutcomeUnknown` for a write that had been sent.
 */
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
} from "@bufbuild/protobuf"
import type { MessageShape } from "@bufbuild/protobuf"
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js"
import { Effect, type Scope } from "effect"
import { InvalidArgument, OutcomeUnknown, Unavailable } from "../../domain/errors.ts"
import { fromStatus, type TopicsError } from "./errorCodec.ts"
import { deserializer, path, serializer } from "./wire.ts"

/** `HOST:PORT` of a URL `grpc://HOST:PORT`, also written `http://`. */
export const target = (url: string): Effect.Effect<string, InvalidArgument> =>
  Effect.suspend(() => {
    const found = /^(?:grpc|http):\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:?#[\]@]+):(\d{1,5})\/?$/.exec(url)
    const port = Number(found?.[2])
    return found === null || port < 1 || port > 65_535
      ? new InvalidArgument({
          argument: "url",
          message: `the address of a node is written grpc://HOST:PORT, not ${JSON.stringify(url)}`,
        })
      : Effect.succeed(`${found[1]}:${port}`)
  })

/** Whether a failed call may have reached the node, so that a write may have happened. */
export const mayHaveArrived = ({ code, details }: ServiceError): boolean =>
  !(
    code === status.UNIMPLEMENTED ||
    (code === status.UNAVAILABLE &&
      /^(No connection established|Name resolution failed|Failed to connect)/.test(details))
  )

/** The reason in what the gRPC library says, without its framing. */
const reason = (details: string): string =>
  (/Last error: (.*?)(?:\. Resolution note:.*)?$/.exec(details)?.[1] ?? details).replace(/^Error: /, "").trim()

/** Why a call had no answer from a node, in one sentence. */
export const noAnswer = (url: string, { code, details }: ServiceError): string => {
  if (code === status.DEADLINE_EXCEEDED) return `the node at ${url} did not answer in time`
  if (code === status.UNIMPLEMENTED) return `what answers at ${url} is not a millrace node: ${reason(details)}`
  return `no node answers at ${url}: ${reason(details)}`
}

export interface ConnectionOptions {
  readonly url: string
  /** The largest message to take from the node, in bytes. */
  readonly receiveBytesMax: number
  /** Milliseconds that a call may take. */
  readonly timeoutMillis: number
}

export interface Connection {
  readonly url: string
  readonly timeoutMillis: number
  /** A call whose repetition or loss changes nothing. */
  readonly read: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
  ) => Effect.Effect<MessageShape<O>, TopicsError>
  /** A call that writes: where it may have arrived and no answer came, its outcome is unknown. */
  readonly write: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
  ) => Effect.Effect<MessageShape<O>, TopicsError>
  /** All answers of a call that ends by itself. */
  readonly readAll: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
  ) => Effect.Effect<ReadonlyArray<MessageShape<O>>, TopicsError>
  readonly openStream: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
  ) => ClientReadableStream<MessageShape<O>>
  readonly openBidirectional: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ) => ClientDuplexStream<MessageShape<I>, MessageShape<O>>
}

export const make = Effect.fnUntraced(function* ({
  url,
  receiveBytesMax,
  timeoutMillis,
}: ConnectionOptions): Effect.fn.Return<Connection, InvalidArgument, Scope.Scope> {
  const address = yield* target(url)
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Client(address, credentials.createInsecure(), {
          "grpc.max_receive_message_length": receiveBytesMax,
          "grpc.max_send_message_length": -1,
          // The node may come back at any moment, and often does so at once.
          "grpc.initial_reconnect_backoff_ms": 50,
          "grpc.min_reconnect_backoff_ms": 50,
          "grpc.max_reconnect_backoff_ms": 1000,
          // A connection that has died silently is noticed.
          "grpc.keepalive_time_ms": 20_000,
          "grpc.keepalive_timeout_ms": 10_000,
          "grpc.enable_http_proxy": 0,
          // Repetition is decided here, where it is known what may be repeated.
          "grpc.enable_retries": 0,
          "grpc.service_config_disable_resolution": 1,
          // The connection is this client's own, and closes with it.
          "grpc.use_local_subchannel_pool": 1,
          "grpc.enable_channelz": 0,
        }),
    ),
    (client) => Effect.sync(() => client.close()),
  )

  const deadline = (): number => performance.timeOrigin + performance.now() + timeoutMillis

  const unary = <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    lost: (failure: ServiceError) => TopicsError,
  ): Effect.Effect<MessageShape<O>, TopicsError> =>
    Effect.callback((resume) => {
      const call = client.makeUnaryRequest(
        path(method),
        serializer(method.input),
        deserializer(method.output),
        request,
        new Metadata(),
        { deadline: deadline() },
        (failure, answer) => {
          if (failure !== null) resume(Effect.fail(fromStatus(failure) ?? lost(failure)))
          else if (answer !== undefined) resume(Effect.succeed(answer))
        },
      )
      return Effect.sync(() => call.cancel())
    })

  const unavailable = (failure: ServiceError): Unavailable => new Unavailable({ message: noAnswer(url, failure) })

  const openStream: Connection["openStream"] = (method, request) =>
    client.makeServerStreamRequest(path(method), serializer(method.input), deserializer(method.output), request)

  return {
    url,
    timeoutMillis,
    read: (method, request) => unary(method, request, unavailable),
    write: (method, request) =>
      unary(method, request, (failure) =>
        mayHaveArrived(failure)
          ? new OutcomeUnknown({
              operation: method.localName,
              message: `${noAnswer(url, failure)}; the ${method.localName} may have happened or not`,
            })
          : unavailable(failure),
      ),
    readAll: (method, request) =>
      Effect.callback((resume) => {
        const call = client.makeServerStreamRequest(
          path(method),
          serializer(method.input),
          deserializer(method.output),
          request,
          new Metadata(),
          { deadline: deadline() },
        )
        const answers: Array<MessageShape<(typeof method)["output"]>> = []
        call.on("data", (answer) => void answers.push(answer))
        call.on("error", (failure: ServiceError) => resume(Effect.fail(fromStatus(failure) ?? unavailable(failure))))
        call.on("end", () => resume(Effect.succeed(answers)))
        return Effect.sync(() => call.cancel())
      }),
    openStream,
    openBidirectional: (method) =>
      client.makeBidiStreamRequest(path(method), serializer(method.input), deserializer(method.output)),
  }
})
