/**
 * The live plane: clients under names of their own, that send each other messages, broadcasts and publications, in
 * memory. Whether the other clients are in this process or elsewhere makes no difference to them, and neither does
 * where the exchange is: `Exchange.layer` is in this process, a client layer with a URL speaks to a node.
 *
 * Nothing is kept for who is not there. What is to survive goes to the durable plane.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AccessDenied, InvalidArgument, Unavailable } from "../domain/errors.ts"
import type { Disconnected, NameTaken, NotDelivered, NotRegistered, PrimaryMissing } from "../domain/liveErrors.ts"
import type { LiveKind } from "./LiveFrame.ts"
import type { MemberKind } from "./Member.ts"
import type { OverflowPolicy } from "./Outlet.ts"
import type { StoreFailure } from "./StoreFirst.ts"

/** What has come for a client. */
export interface Received {
  readonly kind: LiveKind
  /** The whole name of the client that sent it; `.bus` where it has none. */
  readonly sender: string
  /** Of a publication; empty otherwise. */
  readonly topic: string
  readonly isRealtime: boolean
  /** It may be a view of the memory in which it came together with others: copy what is kept for long. */
  readonly payload: Uint8Array
}

export interface SendOptions {
  /** Wait until it is routed, and stored where the topic is durable, and fail if it is not. By default true. */
  readonly isProcessed?: boolean | undefined
  /** Do not let it wait for company. By default false. */
  readonly isRealtime?: boolean | undefined
}

export interface PublishLiveOptions extends SendOptions {
  /** Only for subscribers of this primary name. Never stored. */
  readonly receiver?: string | undefined
}

export type ConnectError = InvalidArgument | NameTaken | PrimaryMissing | AccessDenied | Unavailable
export type SendError = InvalidArgument | NotRegistered | NotDelivered | AccessDenied | Disconnected
export type BroadcastError = InvalidArgument | AccessDenied | Disconnected
export type PublishLiveError = StoreFailure | AccessDenied | Disconnected
export type SubscribeLiveError = InvalidArgument | AccessDenied | Disconnected

/** A client that is connected, until its scope closes. Payloads of type string are sent as UTF-8. */
export interface ExchangeClient {
  readonly name: string
  /**
   * What comes for this client, in the order in which each sender sent it. For one reader at a time: nothing is lost
   * between two readers, but what the first was given in one chunk is its own, also where it stopped in the middle of it.
   * It ends when the client's scope closes, and fails when the client is disconnected otherwise.
   *
   * What waits here is bounded: a client that does not read is disconnected, or loses what is newest.
   */
  readonly inbox: Stream.Stream<Received, Disconnected>
  /**
   * Calls back whenever the connection was lost: a client of an exchange elsewhere connects again by itself, and what was
   * on its way to it is gone. Gives how to take that back. Clients in the same process lose none.
   */
  readonly onLost: (callback: () => void) => () => void
  readonly send: (target: string, payload: Uint8Array | string, options?: SendOptions) => Effect.Effect<void, SendError>
  /** In order. Fails with the first that is not delivered; over a connection, those after it may be sent all the same. */
  readonly sendAll: (
    target: string,
    payloads: ReadonlyArray<Uint8Array | string>,
    options?: SendOptions,
  ) => Effect.Effect<void, SendError>
  /** To all whose name matches, this client too. */
  readonly broadcast: (
    mask: string,
    payload: Uint8Array | string,
    options?: SendOptions,
  ) => Effect.Effect<void, BroadcastError>
  /** To all who have subscribed, this client too. */
  readonly publish: (
    topic: string,
    payload: Uint8Array | string,
    options?: PublishLiveOptions,
  ) => Effect.Effect<void, PublishLiveError>
  /** In order. Where it fails, those before have been published, and with a durable topic perhaps those after. */
  readonly publishAll: (
    topic: string,
    payloads: ReadonlyArray<Uint8Array | string>,
    options?: PublishLiveOptions,
  ) => Effect.Effect<void, PublishLiveError>
  /** Fails at the first filter that is denied; those that are not stay subscribed. Filters as in `LiveTopic`. */
  readonly subscribe: (...filters: ReadonlyArray<string>) => Effect.Effect<void, SubscribeLiveError>
  readonly unsubscribe: (...filters: ReadonlyArray<string>) => Effect.Effect<void, SubscribeLiveError>
  /** No publications on topics that match, whatever the subscriptions. */
  readonly exclude: (...filters: ReadonlyArray<string>) => Effect.Effect<void, SubscribeLiveError>
  readonly include: (...filters: ReadonlyArray<string>) => Effect.Effect<void, SubscribeLiveError>
}

/** How much waits in an inbox by default. */
export const inboxFramesMaxDefault = 8192
export const inboxBytesMaxDefault = 64 * 1024 * 1024

export interface ConnectOptions {
  /** What becomes of a client that does not read. By default it is disconnected. */
  readonly overflow?: OverflowPolicy | undefined
  /** How much waits in its inbox at most. */
  readonly inboxFramesMax?: number | undefined
  readonly inboxBytesMax?: number | undefined
}

/** What is known of a client. Counters since it connected; bytes are those of payloads. */
export interface ClientInfo {
  readonly name: string
  readonly kind: MemberKind
  readonly source: string | undefined
  readonly port: number | undefined
  readonly framesIn: number
  readonly bytesIn: number
  readonly framesOut: number
  readonly bytesOut: number
  /** Unknown of an exchange elsewhere. */
  readonly dropped: number | undefined
  readonly queued: number
  /** Connections under the name: the primary, and its secondaries. */
  readonly instances: number
}

export class Exchange extends Context.Service<
  Exchange,
  {
    /** Connects a client under a name that nobody else has (`ClientName`), until the scope closes. */
    readonly connect: (
      name: string,
      options?: ConnectOptions,
    ) => Effect.Effect<ExchangeClient, ConnectError, Scope.Scope>
    /** The primary clients that are connected, by name. Who asks for it only to ask is not among them. */
    readonly clients: Effect.Effect<ReadonlyArray<ClientInfo>, AccessDenied | Unavailable>
  }
>()("millrace/exchange/Exchange") {}
