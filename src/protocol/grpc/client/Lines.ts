/**
 * The gRPC channels that a client uses, one at a time.
 */
import { type ChannelCredentials, Client, type ClientOptions, connectivityState } from "@grpc/grpc-js"
import { deadlineIn } from "../codec/deadlines.ts"

/** One channel of the gRPC library: it is given up, and another made, as soon as a call on it finds no node. */
export interface Line {
  readonly client: Client
  /** An answer has come over it. */
  isProven: boolean
}

export interface LineOptions {
  /** TLS, or none. */
  readonly credentials: ChannelCredentials
  /** The largest message to take from the node, in bytes. */
  readonly receiveBytesMax: number
  /**
   * A connection with calls on it that is silent for so long is asked whether the node is still there, and given up
   * where no answer comes within half of it. In milliseconds.
   */
  readonly keepAliveMillis: number
  /** Bytes that may be on their way from the node before it waits for them to be taken; absent: 64 KiB. */
  readonly windowBytes?: number | undefined
  /**
   * Told of each line that is given up. Where somebody wants to know, a line is given up as soon as its connection is
   * lost, also where nothing was under way on it: what was found out about the node may not hold any more.
   */
  readonly onGivenUp?: (() => void) | undefined
}

const channelOptions = ({ keepAliveMillis, receiveBytesMax, windowBytes }: LineOptions): ClientOptions => ({
  "grpc.max_receive_message_length": receiveBytesMax,
  "grpc.max_send_message_length": -1,
  // A connection that has died silently is noticed.
  "grpc.keepalive_time_ms": keepAliveMillis,
  "grpc.keepalive_timeout_ms": keepAliveMillis / 2,
  "grpc.enable_http_proxy": 0,
  // Repetition is decided here, where it is known what may be repeated.
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  // The connection is this client's own, and closes with it.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
  ...(windowBytes === undefined ? {} : { "grpc-node.flow_control_window": windowBytes }),
})

/**
 * The lines to one address. The library waits longer and longer before it tries a failed address again, and fails calls
 * in the meantime by what it remembers; a new line tries at once, and how often that happens is decided by who calls.
 */
export class Lines {
  readonly #address: string
  readonly #credentials: ChannelCredentials
  readonly #options: ClientOptions
  readonly #onGivenUp: (() => void) | undefined
  #current: Line | undefined
  #isClosed = false

  constructor(address: string, options: LineOptions) {
    this.#address = address
    this.#credentials = options.credentials
    this.#options = channelOptions(options)
    this.#onGivenUp = options.onGivenUp
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#current?.client.getChannel().getConnectivityState(false) === connectivityState.READY
  }

  /** Connects, and calls back when it is known whether that goes well, or when it was not in time. */
  connect(millis: number, done: (isKnown: boolean) => void): void {
    const { client } = this.use()
    const deadline = deadlineIn(millis)
    const look = (): void => {
      const channel = client.getChannel()
      const state = channel.getConnectivityState(true)
      if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return done(true)
      channel.watchConnectivityState(state, deadline, (late) => (late === undefined ? look() : done(false)))
    }
    look()
  }

  use(): Line {
    if (this.#current !== undefined) return this.#current
    const client = new Client(this.#address, this.#credentials, this.#options)
    const line = { client, isProven: false }
    if (this.#isClosed) client.close()
    else this.#current = line
    if (this.#onGivenUp !== undefined && !this.#isClosed) this.#watch(line)
    return line
  }

  /** Gives a line up, by default the one in use. */
  giveUp(line: Line | undefined = this.#current): void {
    if (line === undefined) return
    const wasCurrent = this.#current === line
    if (wasCurrent) this.#current = undefined
    line.client.close()
    if (wasCurrent) this.#onGivenUp?.()
  }

  /** Gives a line up when its connection is lost. */
  #watch(line: Line): void {
    const channel = line.client.getChannel()
    let wasConnected = false
    const look = (): void => {
      const state = channel.getConnectivityState(false)
      if (state === connectivityState.SHUTDOWN) return
      if (state === connectivityState.READY) wasConnected = true
      else if (wasConnected) return this.giveUp(line)
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, look)
    }
    look()
  }

  close(): void {
    this.#isClosed = true
    this.#current?.client.close()
    this.#current = undefined
  }
}
