/**
 * What both sides of TLS need to know. Certificates and keys are PEM.
 *
 * They are looked at for every connection that is made: where a function gives them, it gives those that hold now, and
 * a connection that there is goes on with those that it was made with.
 */
import { X509Certificate } from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import * as CertificateName from "../domain/CertificateName.ts"

export interface TlsListenOptions {
  readonly cert: string | Uint8Array
  readonly key: string | Uint8Array
  /** Clients have to show a certificate that one of these has signed. */
  readonly clientCa?: string | Uint8Array | undefined
}

export interface TlsDialOptions {
  /** Who may have signed the server's certificate; by default those that Node trusts. */
  readonly ca?: string | Uint8Array | undefined
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  /** The name that the server's certificate has to have; by default the host of the endpoint. */
  readonly domain?: string | undefined
  /**
   * The certificate that the server has to show, and no other, whoever has signed it and whatever its names are. `ca` and
   * `domain` are not looked at then.
   */
  readonly pinned?: string | Uint8Array | undefined
}

/** Settings, or what gives those that hold now. It has to give what can be used, and the same object until it changes. */
export type Current<A extends object> = A | (() => A)

export const currently = <A extends object>(settings: Current<A>): A =>
  typeof settings === "function" ? settings() : settings

type Pem = string | Buffer

const pem = (text: string | Uint8Array): Pem => (typeof text === "string" ? text : Buffer.from(text))

const given = <K extends string>(name: K, value: string | Uint8Array | undefined): { readonly [_ in K]?: Pem } =>
  value === undefined ? {} : ({ [name]: pem(value) } as { readonly [_ in K]?: Pem })

const oldest = { minVersion: "TLSv1.2" } as const

/** How long a handshake may take; Node's own limit is two minutes for a server, and none for a client. */
export const handshakeMillisMax = 5000

const serverContext = ({ cert, clientCa, key }: TlsListenOptions): tls.SecureContextOptions => ({
  ...oldest,
  cert: pem(cert),
  key: pem(key),
  ...given("ca", clientCa),
})

export const serverSettings = (options: Current<TlsListenOptions>): tls.TlsOptions => {
  const now = currently(options)
  return {
    ...serverContext(now),
    requestCert: now.clientCa !== undefined,
    rejectUnauthorized: now.clientCa !== undefined,
    handshakeTimeout: handshakeMillisMax,
  }
}

/** Lets a server that was made with the settings go on with those that hold at each connection. */
export const followSettings = (server: tls.Server, options: Current<TlsListenOptions>): void => {
  let held = currently(options)
  server.prependListener("connection", () => {
    const now = currently(options)
    if (now === held) return
    held = now
    server.setSecureContext(serverContext(now))
  })
}

const refused = (message: string): Error => Object.assign(new Error(message), { code: "ERR_TLS_CERT_REFUSED" })

/** @param name a host or an address, which has to be among the names that the certificate is for */
const checkNames = (name: string, certificate: tls.PeerCertificate): Error | undefined => {
  const isName = net.isIP(name) === 0
  // Node would go by the common name then, which nobody who signs has to look at.
  const hasNames = CertificateName.parse(certificate.subjectaltname).some(({ kind }) => kind === "dns")
  return isName && !hasNames
    ? refused("its certificate has no DNS name among its subject alternative names")
    : tls.checkServerIdentity(name, certificate)
}

/** The certificate that is pinned: of several, one after another, the first. */
const pinning = (pinned: string | Uint8Array): tls.ConnectionOptions => {
  const { fingerprint256 } = new X509Certificate(pem(pinned))
  return {
    ca: pem(pinned),
    allowPartialTrustChain: true,
    checkServerIdentity: (_, shown) =>
      shown.fingerprint256 === fingerprint256
        ? undefined
        : refused("its certificate is another than the one that is expected"),
  }
}

/** @param host where the server is */
export const clientSettings = (host: string, options: Current<TlsDialOptions>): tls.ConnectionOptions => {
  const { ca, cert, domain, key, pinned } = currently(options)
  const name = domain ?? host
  return {
    ...oldest,
    ...given("cert", cert),
    ...given("key", key),
    // An address is nothing that a server could be asked for.
    ...(net.isIP(name) === 0 ? { servername: name } : {}),
    ...(pinned === undefined
      ? { ...given("ca", ca), checkServerIdentity: (_, shown) => checkNames(name, shown) }
      : pinning(pinned)),
  }
}

/** What the other side's certificate is for; nothing where it showed none, or none that is trusted. */
export const peerNames = (socket: unknown): ReadonlyArray<CertificateName.CertificateName> =>
  socket instanceof tls.TLSSocket && socket.authorized
    ? CertificateName.parse(socket.getPeerX509Certificate()?.subjectAltName)
    : []
