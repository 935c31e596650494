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
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { InvalidArgument, OutcomeUnknown, Unavailable } from "../../../domain/errors.ts"
import * as CallSpan from "./callSpan.ts"
import { deadlineIn } from "../codec/deadlines.ts"
import { fromStatus, type BusError } from "../codec/errorCodec.ts"
import type { Current, TlsDialOptions } from "../../../transport/tls.ts"
import { type LineOptions, Lines } from "./Lines.ts"
import { SecureCredentials } from "./secureCredentials.ts"
import { deserializer, path, serializer } from "../codec/wire.ts"

/** Where a node is, and how it is spoken to. */
export interface Target {
  /** `HOST:PORT` */
  readonly address: string
  readonly credentials: ChannelCredentials
}

/** The target of a URL: `grpc://HOST:PORT`, also written `http://`, and under TLS `grpcs://` or `https://`. */
export const target = (
  url: string,
  tls: Current<TlsDialOptions> | undefined,
): Effect.Effect<Target, InvalidArgument> => {
  const refuse = (message: string) => Effect.fail(new InvalidArgument({ argument: "url", message }))
  return Effect.suspend(() => {
    const found = /^(?:grpc|http)(s?):\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:?#[\]@]+):(\d{1,5})\/?$/.exec(url)
    const port = Number(found?.[3])
    if (found === null || port < 1 || port > 65_535) {
      return refuse(
        `the address of a node is written grpc://HOST:PORT, or grpcs://HOST:PORT with TLS, not ${JSON.stringify(url)}`,
      )
    }
    const [, s, host = ""] = found
    const address = `${host}:${port}`
    if (s !== "") {
      return Effect.succeed({ address, credentials: new SecureCredentials(host.replace(/^\[|\]$/g, ""), tls ?? {}) })
    }
    if (tls !== undefined) return refuse(`certificates are for TLS, and ${url} is without: write grpcs://${address}`)
    return Effect.succeed({ address, credentials: credentials.createInsecure() })
  })
}

/** Whether a failed call may have reached the node, so that a write may have happened. */
export const mayHaveArrived = ({ code, details }: ServiceError): boolean =>
  !(
    code === status.UNIMPLEMENTED ||
    (code === status.UNAVAILABLE &&
      /^(No connection established|Name resolution failed|Failed to connect)/.test(details))
  )

/** The reason in what the gRPC library says, without its framing. */
const reason = (details: string): string =>
  (/Last error: (.*?)(?:\. Resolution note:.*)?$/.exec(details)?.[1] ?? details)
    .replace(/^Error(?: \[\w+\])?: /, "")
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, "")
    .trim()

/** Why a connection was closed before it was one is told to nobody. */
const closedAtOnce = (url: string): string =>
  /^(?:grpcs|https):/.test(url)
    ? "it closed the connection at once, as one does that does not accept a certificate"
    : "it closed the connection at once, as one does that wants TLS: its URL begins with grpcs:// then"

/** Why a call had no answer from a node, in one sentence. */
export const noAnswer = (url: string, { code, details }: ServiceError): string => {
  if (code === status.DEADLINE_EXCEEDED) return `the node at ${url} did not answer in time`
  if (code === status.UNIMPLEMENTED) return `what answers at ${url} is not a millrace node: ${reason(details)}`
  const why = reason(details)
  return `no node answers at ${url}: ${why === "Failed to connect" ? closedAtOnce(url) : why}`
}

/** How a token is shown. It travels as it is: keep it to this machine, or to a connection that is encrypted. */
const bearer = (token: Redacted.Redacted): Effect.Effect<string, InvalidArgument> =>
  Effect.suspend(() =>
    /^[!-~]+$/.test(Redacted.value(token))
      ? Effect.succeed(`Bearer ${Redacted.value(token)}`)
      : new InvalidArgument({
          argument: "token",
          message: "a token is made of letters, digits and signs of ASCII, without spaces",
        }),
  )

export interface ConnectionOptions {
  readonly url: string
  /** The largest message to take from the node, in bytes. */
  readonly receiveBytesMax: number
  /** Milliseconds that a call may take. */
  readonly timeoutMillis: number
  /** Shown with every call, so that the node's access rules know who calls. */
  readonly token?: Redacted.Redacted | undefined
  /** For `grpcs://`; without it those are trusted that Node trusts. */
  readonly tls?: Current<TlsDialOptions> | undefined
  /** See `LineOptions`; by default 20 seconds. */
  readonly keepAlive?: Duration.Input | undefined
  readonly windowBytes?: LineOptions["windowBytes"]
  readonly onGivenUp?: LineOptions["onGivenUp"]
  /** All that is asked is answered at once: where it is not, the connection is given up. By default it may take its time. */
  readonly isOnlyAsked?: boolean | undefined
}

/** What becomes of a call's answers. Made anew where the call is made once more. */
export interface Collector<Answer, A> {
  /** Takes an answer, and gives whether more are wanted. Must not throw. */
  readonly take: (answer: Answer) => boolean
  readonly value: () => A
}

/** What a call is made with, where not as usual. */
export interface ReadOptions<E> {
  /** Milliseconds that it may take. */
  readonly timeoutMillis?: number | undefined
  /** What a failure means that the node has no word for; undefined: that there was no answer. */
  readonly meaning?: ((failure: ServiceError) => E | undefined) | undefined
}

/**
 * A stream that was opened. `isProven` tells that its connection had worked before: where the stream fails without an
 * answer, the connection may just have been dead, and a new one is worth an attempt at once.
 */
export interface Opened<Call> {
  readonly call: Call
  readonly isProven: boolean
}

export interface Connection {
  readonly url: string
  /** `HOST:PORT` */
  readonly address: string
  readonly timeoutMillis: number
  /** Whether there is a connection now. */
  readonly isConnected: () => boolean
  /** Makes one; what goes wrong is told by the first call. Gives whether it came to its end in time, and else lets it be. */
  readonly connect: (millis: number) => Effect.Effect<boolean>
  /** Lets go of the connection; the next call makes another. */
  readonly giveUp: () => void
  /** A call whose repetition or loss changes nothing. */
  readonly read: <I extends DescMessage, O extends DescMessage, E = never>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    options?: ReadOptions<E>,
  ) => Effect.Effect<MessageShape<O>, BusError | E>
  /** A call that writes: where it may have arrived and no answer came, its outcome is unknown. */
  readonly write: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
  ) => Effect.Effect<MessageShape<O>, BusError>
  /** All answers of a call that ends by itself. */
  readonly readAll: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
  ) => Effect.Effect<ReadonlyArray<MessageShape<O>>, BusError>
  /** The answers of a call that ends by itself, or when no more are wanted, as they come. */
  readonly collect: <I extends DescMessage, O extends DescMessage, A>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    collector: () => Collector<MessageShape<O>, A>,
    options?: Pick<ReadOptions<never>, "timeoutMillis">,
  ) => Effect.Effect<A, BusError>
  readonly openStream: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
  ) => Opened<ClientReadableStream<MessageShape<O>>>
  readonly openBidirectional: <I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ) => Opened<ClientDuplexStream<MessageShape<I>, MessageShape<O>>>
}

const isUnavailable = ({ code }: ServiceError): boolean => code === status.UNAVAILABLE

export const make = Effect.fnUntraced(function* ({
  url,
  receiveBytesMax,
  timeoutMillis,
  tls,
  token,
  keepAlive = "20 seconds",
  windowBytes,
  onGivenUp,
  isOnlyAsked = false,
}: ConnectionOptions): Effect.fn.Return<Connection, InvalidArgument, Scope.Scope> {
  const { address, credentials } = yield* target(url, tls)
  const authorization = token === undefined ? undefined : yield* bearer(token)
  const lines = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const keepAliveMillis = Duration.toMillis(keepAlive)
      return new Lines(address, { credentials, receiveBytesMax, keepAliveMillis, windowBytes, onGivenUp })
    }),
    (lines) => Effect.sync(() => lines.close()),
  )

  const { calling, metadataOfCaller } = CallSpan.make(yield* Effect.context<never>(), () => {
    const metadata = new Metadata()
    if (authorization !== undefined) metadata.set("authorization", authorization)
    return metadata
  })

  const callOptions = (millis = timeoutMillis): CallOptions => ({ deadline: deadlineIn(millis) })

  const unavailable = (failure: ServiceError): Unavailable => new Unavailable({ message: noAnswer(url, failure) })

  /** Makes a call, and once more where it failed only because its connection had died meanwhile. */
  const attempt = <A, E>(
    isRead: boolean,
    lost: (failure: ServiceError) => BusError | E,
    start: (client: Client, done: (failure: ServiceError | null, value?: A) => void) => { cancel(): void },
  ): Effect.Effect<A, BusError | E> =>
    Effect.callback((resume) => {
      let call: { cancel(): void }
      const begin = (isFirst: boolean): void => {
        const line = lines.use()
        const { isProven } = line
        call = start(line.client, (failure, value) => {
          if (failure === null) {
            line.isProven = true
            if (value !== undefined) resume(Effect.succeed(value))
            return
          }
          if (isUnavailable(failure) || (isOnlyAsked && failure.code === status.DEADLINE_EXCEEDED)) lines.giveUp(line)
          const word = fromStatus(failure)
          const mayRepeat = word === undefined && isUnavailable(failure) && (isRead || !mayHaveArrived(failure))
          if (isFirst && isProven && mayRepeat) begin(false)
          else resume(Effect.fail(word ?? lost(failure)))
        })
      }
      begin(true)
      return Effect.sync(() => call.cancel())
    })

  const unary = <I extends DescMessage, O extends DescMessage, E = never>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    isRead: boolean,
    lost: (failure: ServiceError) => BusError | E,
    millis?: number,
  ): Effect.Effect<MessageShape<O>, BusError | E> =>
    calling(path(method), (metadata) =>
      attempt(isRead, lost, (client, done) =>
        client.makeUnaryRequest(
          path(method),
          serializer(method.input),
          deserializer(method.output),
          request,
          metadata,
          callOptions(millis),
          done,
        ),
      ),
    )

  /** Opens a stream on the line in use, and gives that up where it finds no node. */
  const opened = <Call extends ClientReadableStream<unknown>>(start: (client: Client) => Call): Opened<Call> => {
    const line = lines.use()
    const { isProven } = line
    const call = start(line.client)
    call.on("metadata", () => {
      line.isProven = true
    })
    call.on("error", (failure: ServiceError) => {
      if (isUnavailable(failure)) lines.giveUp(line)
    })
    return { call, isProven }
  }

  const collect: Connection["collect"] = (method, request, makeCollector, { timeoutMillis: millis } = {}) =>
    calling(path(method), (metadata) =>
      attempt(true, unavailable, (client, done) => {
        const call = client.makeServerStreamRequest(
          path(method),
          serializer(method.input),
          deserializer(method.output),
          request,
          metadata,
          callOptions(millis),
        )
        const collector = makeCollector()
        let isDone = false
        const end = (failure: ServiceError | null): void => {
          if (isDone) return
          isDone = true
          if (failure === null) done(null, collector.value())
          else done(failure)
        }
        call.on("data", (answer) => {
          if (isDone || collector.take(answer)) return
          end(null)
          call.cancel()
        })
        call.on("error", end)
        call.on("end", () => end(null))
        return call
      }),
    )

  return {
    url,
    address,
    timeoutMillis,
    isConnected: () => lines.isConnected,
    connect: (millis) =>
      Effect.callback((resume) =>
        lines.connect(millis, (isKnown) => {
          if (!isKnown) lines.giveUp()
          resume(Effect.succeed(isKnown))
        }),
      ),
    giveUp: () => lines.giveUp(),
    read: (method, request, { meaning, timeoutMillis: millis } = {}) =>
      unary(method, request, true, (failure) => meaning?.(failure) ?? unavailable(failure), millis),
    write: (method, request) =>
      unary(method, request, false, (failure) =>
        mayHaveArrived(failure)
          ? new OutcomeUnknown({
              operation: method.localName,
              message: `${noAnswer(url, failure)}; the ${method.localName} may have happened or not`,
            })
          : unavailable(failure),
      ),
    readAll: (method, request) =>
      collect(method, request, () => {
        const answers: Array<MessageShape<(typeof method)["output"]>> = []
        return { take: (answer) => answers.push(answer) > 0, value: () => answers }
      }),
    collect,
    openStream: (method, request) =>
      opened((client) =>
        client.makeServerStreamRequest(
          path(method),
          serializer(method.input),
          deserializer(method.output),
          request,
          metadataOfCaller(),
        ),
      ),
    openBidirectional: (method) =>
      opened((client) =>
        client.makeBidiStreamRequest(
          path(method),
          serializer(method.input),
          deserializer(method.output),
          metadataOfCaller(),
        ),
      ),
  }
})
