/** How listening, dialing and connections fail. */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** An endpoint cannot be listened on. `endpoint` is its text. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>("millrace/ListenFailed")("ListenFailed", {
  endpoint: Schema.String,
  reason: Schema.Literals([
    /** Somebody listens there already. */
    "in use",
    /** There is something else where the socket should be, and it was left alone. */
    "not a socket",
    "path too long",
    "not permitted",
    /** This machine does not have the address, or there is no such directory. */
    "no such place",
    /** TLS was asked for, and there is no certificate that can be used. */
    "no certificate",
    "failed",
  ]),
  message: Schema.String,
}) {}

/** There is no connection to an endpoint. `endpoint` is its text. */
export class DialFailed extends Schema.TaggedError<DialFailed>("millrace/DialFailed")("DialFailed", {
  endpoint: Schema.String,
  reason: Schema.Literals([
    /** Nobody listens there: the same may go well later. */
    "refused",
    "timed out",
    /** There is no such host, file or pipe. */
    "no such place",
    "path too long",
    "not permitted",
    /** Somebody answered, and would not: no WebSocket, a certificate that is not trusted. */
    "rejected",
    "failed",
  ]),
  message: Schema.String,
}) {}

/** A connection ended otherwise than by being closed. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>("millrace/ConnectionLost")("ConnectionLost", {
  reason: Schema.Literals([
    /** The network or the peer broke it. */
    "broken",
    /** The peer did what it must not. */
    "violation",
    /** The peer did not do in time what it must. */
    "overdue",
    /** More came than there is room for while nobody read it. */
    "overflow",
    /** Whoever reads it failed in a way that nobody expected. */
    "defect",
  ]),
  message: Schema.String,
}) {}

/** Elsewhere the name of a pipe would be that of an ordinary file. */
export const onlyOnWindows = "there are named pipes on Windows only"

const notTrusted = "its certificate is not signed by anybody who is trusted here"
const notTls = "it does not speak TLS"
const wantsCertificate = "it lets in only who shows a certificate that it trusts"
const refusesCertificate = "it does not accept the certificate that it was shown"

const plain: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_SIGNATURE_FAILURE: notTrusted,
  CERT_NOT_YET_VALID: "its certificate does not hold yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: notTrusted,
  EACCES: "permission denied",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAI_AGAIN: "the host's name cannot be looked up now",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the peer broke the connection",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ENOENT: "there is no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "there is no such host",
  ENOTSOCK: "the file is no socket",
  EPERM: "not permitted",
  EPIPE: "the peer has closed the connection",
  ERR_SSL_HTTP_REQUEST: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it showed no certificate",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: refusesCertificate,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: refusesCertificate,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: refusesCertificate,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: wantsCertificate,
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: refusesCertificate,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: wantsCertificate,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "it speaks another version of TLS",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: refusesCertificate,
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks an old version of TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for other names",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it did not finish the TLS handshake in time",
  EROFS: "the file system is read-only",
  ETIMEDOUT: "the peer does not answer",
  INVALID_PURPOSE: "its certificate is not made for this side of a connection",
  SELF_SIGNED_CERT_IN_CHAIN: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT: notTrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: notTrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: notTrusted,
}

export const codeOf = (cause: unknown): string | undefined =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined

/** Whether a TLS handshake ended because the peer went away: so do those who only look whether a port is open. */
export const hasJustLeft = (cause: unknown): boolean => codeOf(cause) === "ECONNRESET"

/** What OpenSSL says, among the places in its code where it says so. */
const saidByOpenSsl = (message: string): string | undefined => /:SSL routines:[^:]*:([^:]+)/.exec(message)?.[1]

/** What went wrong, in plain words. */
export const wordsFor = (cause: unknown): string => {
  const known = plain[codeOf(cause) ?? ""]
  if (known !== undefined) return known
  const message = Predicate.isError(cause) && cause.message !== "" ? cause.message : String(cause)
  const said = saidByOpenSsl(message)
  // Where the failure is that of a read or a write, its code is none of OpenSSL's.
  return said === undefined ? message : (plain[`ERR_SSL_${said.toUpperCase().replaceAll(" ", "_")}`] ?? said)
}
