/**
 * The version of the package that this program came in.
 */
import { readFileSync } from "node:fs"
import * as Schema from "effect/Schema"

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

// The same two levels up from `src/node` and from `dist/node`.
export const readVersion = (): string =>
  Schema.decodeUnknownSync(Manifest)(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version
