/**
 * TLS for the gRPC library's server, by the rules that all our listeners have: TLS 1.2 at least, and a handshake that
 * ends in time.
 */
import { ServerCredentials } from "@grpc/grpc-js"
import * as tls from "node:tls"
import { type Current, serverSettings, type TlsListenOptions } from "../../../transport/tls.ts"

export class SecureServerCredentials extends ServerCredentials {
  /** Throws where the certificate cannot be used. */
  constructor(options: Current<TlsListenOptions>) {
    const settings = serverSettings(options)
    // The gRPC library would make one of it in the end, and tell nobody that it cannot.
    tls.createSecureContext(settings)
    super(settings, settings)
  }

  _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
