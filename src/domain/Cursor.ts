/**
 * A saved place in a store's journal: everything up to `position` has been seen.
 *
 * It is good for the store that gave it, and for no other: `incarnation` is a random id that a store gets when it is
 * created or restored. As text: `<incarnation>:<position>`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InvalidArgument } from "./errors.ts"

export const Cursor = Schema.Struct({
  incarnation: Schema.NonEmptyString,
  position: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
})

export interface Cursor {
  readonly incarnation: string
  readonly position: number
}

/** `<incarnation>:<position>` */
export const format = (cursor: Cursor): string => `${cursor.incarnation}:${cursor.position}`

/** Reads `<incarnation>:<position>`. */
export const parse = (text: string): Effect.Effect<Cursor, InvalidArgument> =>
  Effect.suspend(() => {
    const [, incarnation, digits] = /^([0-9a-zA-Z-]+):(\d{1,16})$/.exec(text) ?? []
    const position = Number(digits)
    return incarnation === undefined || !Number.isSafeInteger(position)
      ? new InvalidArgument({
          argument: "cursor",
          message: `a cursor is written incarnation:position, not ${JSON.stringify(text)}`,
        })
      : Effect.succeed({ incarnation, position })
  })
