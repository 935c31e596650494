/**
 * What comes to a client as it is printed: the payload and a newline, byte for byte; or one JSON object a line.
 */
import type { Received } from "../../exchange/index.ts"
import * as RpcPayload from "../../rpc/codec/payload.ts"
import { payloadObject } from "../io/messageFormat.ts"

const newline = Buffer.from("\n")

/** The payloads, each with a newline. */
export const receivedBytes = (frames: ReadonlyArray<Received>): Uint8Array =>
  Buffer.concat(frames.flatMap(({ payload }) => [payload, newline]))

/** A notification and a request are told as such, and what is shown of them is what they carry. */
const contentOf = ({ kind, payload }: Received) => {
  const decoded = kind === "message" ? RpcPayload.decode(payload) : undefined
  switch (decoded?.type) {
    case "notification":
      return { rpc: "notification", ...payloadObject(decoded.payload) }
    case "request":
      return { rpc: "request", method: decoded.method, ...payloadObject(decoded.params) }
    default:
      return payloadObject(payload)
  }
}

export const receivedObject = (frame: Received) => ({
  kind: frame.kind,
  sender: frame.sender,
  ...(frame.kind === "publication" ? { topic: frame.topic } : {}),
  realtime: frame.isRealtime,
  ...contentOf(frame),
})

export const receivedLines = (frames: ReadonlyArray<Received>): string =>
  frames.map((frame) => `${JSON.stringify(receivedObject(frame))}\n`).join("")
