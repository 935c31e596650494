/**
 * A node that cannot start for a reason outside its configuration and its store: a directory, a port.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

export class StartFailed extends Schema.TaggedError<StartFailed>("millrace/StartFailed")("StartFailed", {
  message: Schema.String,
}) {}

const plain: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EEXIST: "there is a file of that name",
  EISDIR: "it is a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "there is no such host",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
}

/** What went wrong in a system call, in plain words. */
export const reasonOf = (cause: unknown): string => {
  if (Predicate.hasProperty(cause, "code") && typeof cause.code === "string") return plain[cause.code] ?? cause.code
  return Predicate.isError(cause) ? cause.message : String(cause)
}
