/**
 * A topic whose payloads are values of a Schema, kept as JSON.
 *
 * A payload that does not decode, because somebody else wrote it or the schema has changed, is a value that the
 * subscriber can route; it never ends the subscription.
 *
 * ```ts
 * const Placed = TypedTopic.make("orders/placed", Schema.Struct({ id: Schema.Int, total: Schema.Finite }))
 * yield* Placed.publish({ id: 1, total: 9.5 })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { InvalidArgument } from "../domain/errors.ts"
import type { Message } from "../domain/Message.ts"
import { type PublishError, type PublishOptions, type SubscribeError, type SubscribeOptions, Topics } from "./Topics.ts"

/** A payload that decoded. */
export interface Decoded<A> {
  readonly _tag: "Decoded"
  readonly value: A
  readonly message: Message
}

/** A payload that did not: `error` says why. */
export interface Undecodable {
  readonly _tag: "Undecodable"
  readonly error: Schema.SchemaError
  readonly message: Message
}

/** A tombstone: only where the subscriber asked for them. */
export interface Deleted {
  readonly _tag: "Deleted"
  readonly message: Message
}

export type Received<A> = Decoded<A> | Undecodable | Deleted

export interface TypedSubscribeOptions extends SubscribeOptions {
  /** Whether deleted messages come too, as `Deleted`. By default they are skipped. */
  readonly tombstones?: boolean | undefined
}

export interface TypedTopic<A> {
  readonly topic: string
  /** `InvalidArgument` where the value does not encode. */
  readonly publish: (value: A, options?: PublishOptions) => Effect.Effect<Message, PublishError, Topics>
  /** All or none. */
  readonly publishAll: (values: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<Message>, PublishError, Topics>
  readonly subscribe: (options?: TypedSubscribeOptions) => Stream.Stream<Received<A>, SubscribeError, Topics>
}

export const make = <A, I>(topic: string, schema: Schema.Codec<A, I>): TypedTopic<A> => {
  const json = Schema.fromJsonString(Schema.toCodecJson(schema))
  const encodeJson = Schema.encodeEffect(json)
  const decodeJson = Schema.decodeUnknownResult(json)
  // `fatal`: what is not UTF-8 is not JSON either, and must not be decoded with replacement characters in it.
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

  const encode = (value: A) =>
    Effect.mapError(
      encodeJson(value),
      (error) => new InvalidArgument({ argument: "value", message: `the value does not encode: ${error.message}` }),
    )

  const text = (payload: Uint8Array): unknown => {
    try {
      return utf8.decode(payload)
    } catch {
      // Not a string: the schema says what it expected.
      return payload
    }
  }

  const receive = (message: Message): Received<A> => {
    if (message.deleted) return { _tag: "Deleted", message }
    const decoded = decodeJson(text(message.payload))
    return Result.isSuccess(decoded)
      ? { _tag: "Decoded", value: decoded.success, message }
      : { _tag: "Undecodable", error: decoded.failure, message }
  }

  return {
    topic,
    publish: (value, options) =>
      Effect.flatMap(encode(value), (payload) => Topics.use((topics) => topics.publish(topic, payload, options))),
    publishAll: (values) =>
      Effect.flatMap(Effect.forEach(values, encode), (payloads) =>
        Topics.use((topics) => topics.publishAll(payloads.map((payload) => ({ topic, payload })))),
      ),
    subscribe: ({ tombstones = false, ...options } = {}) =>
      Stream.unwrap(Topics.useSync((topics) => topics.subscribe(topic, options))).pipe(
        Stream.map(receive),
        Stream.filter((received) => tombstones || received._tag !== "Deleted"),
      ),
  }
}
