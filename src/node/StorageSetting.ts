/**
 * What `--storage` says: which backend keeps the messages, and where.
 *
 * The URL of a database may carry a password. It is kept as `Redacted`, and what is written back hides it; it does not
 * belong on a command line, which everybody on the machine can read (`ConfigSources` sees to that).
 */
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** `path` is absent where the store is to be in the data directory. */
export const Storage = Schema.Union([
  Schema.Struct({ backend: Schema.Literal("sqlite"), path: Schema.UndefinedOr(Schema.NonEmptyString) }),
  Schema.Struct({ backend: Schema.Literal("memory") }),
  Schema.Struct({ backend: Schema.Literal("lmdb"), path: Schema.UndefinedOr(Schema.NonEmptyString) }),
  Schema.Struct({ backend: Schema.Literal("postgres"), url: Schema.Redacted(Schema.NonEmptyString) }),
])
export type Storage = typeof Storage.Type

/** The store of `--storage sqlite:` and `lmdb:`, in the data directory. */
export const nameInDirectory = { sqlite: "millrace.sqlite", lmdb: "millrace.lmdb" } as const

/** A storage whose place is known. */
export type PlacedStorage =
  | { readonly backend: "sqlite" | "lmdb"; readonly path: string }
  | Exclude<Storage, { readonly backend: "sqlite" | "lmdb" }>

/** Where a storage is, for a node of this data directory. */
export const place = (storage: Storage, directory: string): PlacedStorage =>
  storage.backend === "sqlite" || storage.backend === "lmdb"
    ? { backend: storage.backend, path: storage.path ?? join(directory, nameInDirectory[storage.backend]) }
    : storage

export const takes = [
  "sqlite: (a file in the data directory)",
  "sqlite:PATH",
  "memory:",
  "lmdb: (in the data directory)",
  "lmdb:DIR or postgres://USER@HOST/DATABASE",
].join(", ")

const hidden = "(redacted)"

/** A text with the password of any URL in it hidden: for everything that is printed. */
export const redact = (text: string): string =>
  text.replace(/(:\/\/[^/?#\s@:"]*):[^/?#\s"]*@/g, `$1:${hidden}@`).replace(/([?&]password=)[^&#\s"]*/g, `$1${hidden}`)

const isPostgres = (url: URL | null): url is URL => url?.protocol === "postgres:" || url?.protocol === "postgresql:"

export const parse = (text: string): Storage | undefined => {
  const [, backend, rest = ""] = /^(sqlite|memory|lmdb|postgres|postgresql):([^\0]*)$/s.exec(text) ?? []
  switch (backend) {
    case "sqlite":
    case "lmdb":
      return { backend, path: rest === "" ? undefined : rest }
    case "memory":
      return rest === "" ? { backend } : undefined
    case "postgres":
    case "postgresql":
      return rest.startsWith("//") && isPostgres(URL.parse(text))
        ? { backend: "postgres", url: Redacted.make(text) }
        : undefined
    default:
      return undefined
  }
}

/** As it is written, but for the password. */
export const format = (storage: Storage): string => {
  switch (storage.backend) {
    case "memory":
      return "memory:"
    case "sqlite":
    case "lmdb":
      return `${storage.backend}:${storage.path ?? ""}`
    case "postgres": {
      const url = new URL(Redacted.value(storage.url))
      // However strange the characters in it: not what the pattern makes of it, but what the URL does.
      if (url.password !== "") url.password = hidden
      return redact(url.href)
    }
  }
}

/** Whether it looks like a URL. */
export const isUrl = (text: string): boolean => text.includes("://")

/** A text that is no storage, as far as it can be shown: it may be a URL with a password and a slip of the pen. */
export const quote = (text: string): string => (text.includes(":") ? `${text.slice(0, text.indexOf(":") + 1)}…` : text)

/** Whether there is a password in it. */
export const hasPassword = (storage: Storage): boolean => {
  if (storage.backend !== "postgres") return false
  const url = new URL(Redacted.value(storage.url))
  return url.password !== "" || url.searchParams.has("password")
}

/** The same with a password where it has none and can have one. */
export const withPassword = (storage: Storage, password: string): Storage => {
  if (storage.backend !== "postgres" || hasPassword(storage)) return storage
  const url = new URL(Redacted.value(storage.url))
  if (url.host === "") url.searchParams.set("password", password)
  else url.password = encodeURIComponent(password)
  return { backend: "postgres", url: Redacted.make(url.href) }
}
