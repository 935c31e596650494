/** What both sides of TLS need to know. Certificates and keys are PEM. */
import type * as tls from "node:tls"

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
}

type Pem = string | Buffer

const pem = (text: string | Uint8Array): Pem => (typeof text === "string" ? text : Buffer.from(text))

const given = <K extends string>(name: K, value: string | Uint8Array | undefined): { readonly [_ in K]?: Pem } =>
  value === undefined ? {} : ({ [name]: pem(value) } as { readonly [_ in K]?: Pem })

const oldest = { minVersion: "TLSv1.2" } as const

/** How long a handshake may take; Node's own limit is two minutes. */
const handshakeMillis = 5000

export const serverSettings = ({ cert, clientCa, key }: TlsListenOptions): tls.TlsOptions => ({
  ...oldest,
  cert: pem(cert),
  key: pem(key),
  ...given("ca", clientCa),
  requestCert: clientCa !== undefined,
  rejectUnauthorized: clientCa !== undefined,
  handshakeTimeout: handshakeMillis,
})

export const clientSettings = ({ ca, cert, domain, key }: TlsDialOptions): tls.ConnectionOptions => ({
  ...oldest,
  ...given("ca", ca),
  ...given("cert", cert),
  ...given("key", key),
  ...(domain === undefined ? {} : { servername: domain }),
})
