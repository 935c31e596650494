/**
 * Who calls, and what it may do: told from the token that a call brings along, `authorization: Bearer …`, else from the
 * certificate of its connection, and from where it comes.
 */
import type { Metadata } from "@grpc/grpc-js"
import type { PeerCertificate } from "node:tls"
import * as CertificateName from "../../../domain/CertificateName.ts"
import { anonymous } from "../../../access/AccessRules.ts"
import type { Access } from "../../../access/Access.ts"
import type { Permissions } from "../../../access/Permissions.ts"
import { Unauthenticated } from "../codec/errorCodec.ts"

/** What is looked at of a call. */
export interface IncomingCall {
  readonly metadata: Metadata
  /** `ADDRESS:PORT` */
  readonly getPeer: () => string
  readonly getAuthContext: () => { readonly sslPeerCertificate?: PeerCertificate }
}

/** The address of `ADDRESS:PORT`; what is none, as it is, and no network holds it. */
const addressOf = (peer: string): string => peer.replace(/:\d+$/, "")

/** The names in the certificate of a call's connection. */
const certificateOf = (call: IncomingCall): ReadonlyArray<CertificateName.CertificateName> =>
  CertificateName.parse(call.getAuthContext().sslPeerCertificate?.subjectaltname)

/** What is said to be a token; undefined where nothing is said. */
const credentials = ({ metadata }: IncomingCall): { readonly token: string | undefined } | undefined => {
  const [value] = metadata.get("authorization")
  if (value === undefined) return undefined
  const found = typeof value === "string" ? /^Bearer +(\S+)$/i.exec(value) : null
  return { token: found?.[1] }
}

/** The permissions of a call, or why it is turned away. */
export type IdentifyCaller = (call: IncomingCall) => Permissions | Unauthenticated

export const make = (access: Access["Service"]): IdentifyCaller => {
  const everybody = access.hasRules ? undefined : access.permissionsOf(anonymous)
  return (call) => {
    if (everybody !== undefined) return everybody
    const source = addressOf(call.getPeer())
    const given = credentials(call)
    if (given === undefined) {
      return (
        access.permissionsOf(anonymous, source, certificateOf(call)) ??
        new Unauthenticated(
          anonymous,
          "access rules let nobody in without a token or a certificate that they know: show one",
        )
      )
    }
    if (given.token === undefined) {
      return new Unauthenticated("", 'a token is shown as "Bearer" and the token')
    }
    return (
      access.permissionsOfToken(given.token, source) ??
      new Unauthenticated("", `access rules do not know this token, or not from ${source}`)
    )
  }
}
