/**
 * What `.bus` can be asked, as data: the one description that the node, its clients and the documentation go by.
 *
 * Parameters and results are maps in MessagePack. A parameter that is optional may be left out or be nil. Nodes are
 * written `tenant/line/device`, payloads are bytes (or, as parameters, texts), times are milliseconds since 1970.
 */
import * as Schema from "effect/Schema"
import * as NodeId from "../../domain/NodeId.ts"
import type { BusError, BusErrorTag } from "./errors.ts"

type AnyCodec = Schema.Codec<unknown, unknown>

/** What every method can fail with. */
export type Always = "AccessDenied" | "InvalidArgument" | "Unavailable"
export const always: ReadonlyArray<Always> = ["AccessDenied", "InvalidArgument", "Unavailable"]

export interface Method<
  P extends AnyCodec = AnyCodec,
  R extends AnyCodec = AnyCodec,
  T extends BusErrorTag = BusErrorTag,
> {
  readonly name: string
  /** What it does, in a sentence or two for the documentation. */
  readonly about: string
  readonly params: P
  readonly result: R
  /** What it can fail with, beside what every method can. */
  readonly errors: ReadonlyArray<T>
}

/** How a method of those errors fails. */
export type Failing<T extends BusErrorTag> = Extract<BusError, { readonly _tag: T | Always }>

export const method = <P extends AnyCodec, R extends AnyCodec, const T extends BusErrorTag>(
  description: Method<P, R, T>,
): Method<P, R, T> => description

/** A field that may be left out, or be nil. */
export const maybe = <S extends AnyCodec>(schema: S) => Schema.optionalKey(Schema.NullishOr(schema))

/** No parameters, and no result. */
export const nothing = Schema.Union([Schema.Undefined, Schema.Null, Schema.Struct({})])

/** A whole number that is at least 0, and exact. */
export const whole = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** `tenant/line/device`; what is in it is checked where it is used. */
export const node = Schema.String

export const headers = Schema.Record(Schema.String, Schema.String)

/** To write: a text stands for its UTF-8. */
export const content = Schema.Union([Schema.Uint8Array, Schema.String])

/** A place in the journal of one store. */
export const Place = Schema.Struct({ incarnation: Schema.String, position: whole })

/** Where to begin: `"start"`, `"end"`, an offset, or after a place. */
export const beginning = Schema.Union([Schema.Literals(["start", "end"]), whole, Place])

/** A value without the fields that are undefined: what is not there is not written. */
export const present = <A extends object>(fields: A): { [K in keyof A]: Exclude<A[K], undefined> } => {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as { [K in keyof A]: Exclude<A[K], undefined> }
}

export const nodeText = (id: NodeId.NodeId): string => NodeId.format(id)
