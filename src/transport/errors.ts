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

const plain: Readonly<Record<string, string>> = {
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
  EROFS: "the file system is read-only",
  ETIMEDOUT: "the peer does not answer",
}

export const codeOf = (cause: unknown): string | undefined =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined

/** What went wrong, in plain words. */
export const wordsFor = (cause: unknown): string =>
  plain[codeOf(cause) ?? ""] ?? (Predicate.isError(cause) && cause.message !== "" ? cause.message : String(cause))
