/**
 * The gRPC channels that a client uses, one at a time.
 */
import { type ChannelCredentials, Client, type ClientOptions } from "@grpc/grpc-js"

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
}

const channelOptions = ({ keepAliveMillis, receiveBytesMax }: LineOptions): ClientOptions => ({
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
})

/**
 * The lines to one address. The library waits longer and longer before it tries a failed address again, and fails calls
 * in the meantime by what it remembers; a new line tries at once, and how often that happens is decided by who calls.
 */
export class Lines {
  readonly #address: string
  readonly #credentials: ChannelCredentials
  readonly #options: ClientOptions
  #current: Line | undefined
  #isClosed = false

  constructor(address: string, options: LineOptions) {
    this.#address = address
    this.#credentials = options.credentials
    this.#options = channelOptions(options)
  }

  use(): Line {
    if (this.#current !== undefined) return this.#current
    const client = new Client(this.#address, this.#credentials, this.#options)
    const line = { client, isProven: false }
    if (this.#isClosed) client.close()
    else this.#current = line
    return line
  }

  giveUp(line: Line): void {
    if (this.#current === line) this.#current = undefined
    line.client.close()
  }

  close(): void {
    this.#isClosed = true
    this.#current?.client.close()
    this.#current = undefined
  }
}
