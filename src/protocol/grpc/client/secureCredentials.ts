/**
 * TLS for the gRPC library's connections, by the rules that all our connections have: certificates as they are when a
 * connection is made, TLS 1.2 at least, a handshake that ends in time, names that are checked.
 */
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js"
import type { Socket } from "node:net"
import * as tls from "node:tls"
import { wordsFor } from "../../../transport/errors.ts"
import { clientSettings, type Current, handshakeMillisMax, type TlsDialOptions } from "../../../transport/tls.ts"

/** What the gRPC library asks for a connection under TLS; its own options leave too much open. */
type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>

const secured = (socket: Socket, settings: tls.ConnectionOptions): Promise<tls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const secure = tls.connect({ ...settings, ALPNProtocols: ["h2"], socket })
    const overdue = setTimeout(() => {
      secure.destroy(new Error("it did not finish the TLS handshake in time"))
    }, handshakeMillisMax)
    secure.once("close", () => {
      clearTimeout(overdue)
      reject(new Error("it closed the connection during the TLS handshake"))
    })
    secure.on("error", (cause: Error) => {
      // Whoever hears of it behind us is told the same: a certificate may be refused when the handshake is done for us.
      cause.message = wordsFor(cause)
      reject(cause)
    })
    secure.once("secureConnect", () => {
      clearTimeout(overdue)
      if (secure.alpnProtocol === "h2") return resolve(secure)
      secure.destroy(new Error("it does not speak HTTP/2"))
    })
  })

export class SecureCredentials extends ChannelCredentials {
  readonly #host: string
  readonly #options: Current<TlsDialOptions>

  /** @param host whose certificate it has to be, where the options do not say otherwise */
  constructor(host: string, options: Current<TlsDialOptions>) {
    super()
    this.#host = host
    this.#options = options
  }

  _isSecure(): boolean {
    return true
  }

  _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  _createSecureConnector(): Connector {
    const callCredentials = CallCredentials.createEmpty()
    return {
      connect: async (socket) => {
        const settings = clientSettings(this.#host, this.#options)
        return { socket: await secured(socket, settings), secure: true }
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    }
  }
}
