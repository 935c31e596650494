/** What the code says that a WebSocket was closed with. */
import { ConnectionLost } from "../errors.ts"

/** Done, going away, and no code at all. */
const inOrder = new Set([1000, 1001, 1005])
/** The peer went without a word. */
const abnormal = 1006

/** What the reader is told of the end of a WebSocket that its peer has closed. */
export const lostBy = (code: number, reason: string): ConnectionLost | undefined => {
  if (inOrder.has(code)) return undefined
  const word = reason === "" ? "" : `: ${reason}`
  const message =
    code === abnormal ? "the peer broke the connection" : `the peer closed the connection with code ${code}${word}`
  return new ConnectionLost({ reason: "broken", message })
}

export const textRefused = (): ConnectionLost =>
  new ConnectionLost({ reason: "violation", message: "the peer sent text, and a stream of bytes has none" })
