/**
 * A line of the control FIFO, as BUS/RT has it:
 *
 * - `TARGET MESSAGE` sends a message, to all that match where the target is a mask (`?`, `*`)
 * - `=TOPIC MESSAGE` publishes
 * - `TARGET .MESSAGE` notifies
 * - `TARGET :method key=value …` calls a method, and wants no answer; a value with blanks stands in quotes
 */
import * as Result from "effect/Result"
import * as NameMask from "../domain/NameMask.ts"
import { MessagePack, TextParams } from "../rpc/index.ts"

export type ControlCommand =
  | { readonly type: "send" | "broadcast" | "publish" | "notify"; readonly to: string; readonly message: string }
  | { readonly type: "call"; readonly to: string; readonly method: string; readonly params: Uint8Array | undefined }

/** Words between blanks; a blank in quotes does not end one. */
const wordsOf = (text: string): ReadonlyArray<string> => text.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*"|")+/g) ?? []

/** The command of a line, undefined where it is empty; or what is wrong, as a sentence without a full stop. */
export const parse = (line: string): Result.Result<ControlCommand | undefined, string> => {
  const text = line.trim()
  if (text === "") return Result.succeed(undefined)
  const [, to, message] = /^(\S+)\s+(.*)$/s.exec(text) ?? []
  if (to === undefined || message === undefined) return Result.fail("it has no message")
  if (to.startsWith("=")) {
    return to === "=" ? Result.fail("it has no topic") : Result.succeed({ type: "publish", to: to.slice(1), message })
  }
  if (message.startsWith(".")) return Result.succeed({ type: "notify", to, message: message.slice(1) })
  if (!message.startsWith(":")) {
    return Result.succeed({ type: NameMask.hasWildcard(to) ? "broadcast" : "send", to, message })
  }
  const [method = "", ...words] = wordsOf(message.slice(1))
  if (method === "") return Result.fail("it has no method")
  return Result.map(TextParams.parse(words), (params) => ({
    type: "call",
    to,
    method,
    params: params === undefined ? undefined : MessagePack.encode(params),
  }))
}
