/**
 * Certificates for one run of the tests: authorities, and what they sign, right or wrong in one way each.
 */
import "reflect-metadata"
import { webcrypto } from "node:crypto"
import * as x509 from "@peculiar/x509"

/** As PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** The common name, which nothing goes by. */
  readonly commonName?: string
  /** Names that the certificate is for: what Node's `checkServerIdentity` looks at. */
  readonly names?: ReadonlyArray<x509.JsonGeneralName>
  /** From when, and until when it holds, in days from now. */
  readonly days?: readonly [from: number, until: number]
  /** What it may be used for; by default both. */
  readonly usages?: ReadonlyArray<"server" | "client">
  readonly isAuthority?: boolean
  /** Extensions that replace those for the names. */
  readonly extensions?: ReadonlyArray<x509.Extension>
}

/** One that signs others, whether it may or not. */
export interface Issuer extends Certificate {
  readonly issue: (options?: CertificateOptions) => Promise<Issuer>
}

export const localhost: ReadonlyArray<x509.JsonGeneralName> = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
]

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const
const dayMillis = 86_400_000

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])

const pemOf = async (certificate: x509.X509Certificate, { privateKey }: webcrypto.CryptoKeyPair): Promise<Issuer> => {
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY")
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `${key}\n`,
    issue: async (options = {}) => {
      const keys = await makeKeys()
      const issued = await x509.X509CertificateGenerator.create({
        ...(await partsOf(options, keys)),
        subject: `CN=${options.commonName ?? "leaf"}`,
        issuer: certificate.subject,
        publicKey: keys.publicKey,
        signingKey: privateKey,
      })
      return pemOf(issued, keys)
    },
  }
}

const usageOids = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth } as const

const extensionsOf = (
  { extensions, isAuthority = false, names = localhost, usages = ["server", "client"] }: CertificateOptions,
  keys: webcrypto.CryptoKeyPair,
): Promise<Array<x509.Extension>> =>
  Promise.all([
    new x509.BasicConstraintsExtension(isAuthority, undefined, true),
    x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ...(isAuthority
      ? [new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)]
      : [new x509.ExtendedKeyUsageExtension(usages.map((usage) => usageOids[usage]))]),
    ...(extensions ?? (names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension([...names])])),
  ])

let serial = 1

const partsOf = async (options: CertificateOptions, keys: webcrypto.CryptoKeyPair) => {
  const [from, until] = options.days ?? [-1, 30]
  return {
    serialNumber: (++serial).toString(16).padStart(8, "0"),
    notBefore: new Date(Date.now() + from * dayMillis),
    notAfter: new Date(Date.now() + until * dayMillis),
    signingAlgorithm: algorithm,
    extensions: await extensionsOf(options, keys),
  }
}

const signItself = async (name: string, options: CertificateOptions): Promise<Issuer> => {
  const keys = await makeKeys()
  const parts = await partsOf(options, keys)
  return pemOf(await x509.X509CertificateGenerator.createSelfSigned({ ...parts, name: `CN=${name}`, keys }), keys)
}

/** A certificate that nobody but itself answers for. */
export const selfSigned = (options: CertificateOptions = {}): Promise<Issuer> =>
  signItself(options.commonName ?? "self-signed", options)

export const makeAuthority = (name = "millrace tests"): Promise<Issuer> =>
  signItself(name, { isAuthority: true, names: [] })

/** Who signs what the tests trust, and a certificate of it for this machine. */
export const authority = await makeAuthority()
export const certificate = await authority.issue()
