/**
 * Standard input as one payload.
 */
import * as Effect from "effect/Effect"
import { maxMessageBytes } from "../../node/NodeConfig.ts"
import { UsageError } from "../UsageError.ts"

/** Why nothing is read where somebody sits at a terminal. */
export const missingPayload = "missing argument PAYLOAD: give it, or - to read it from standard input"

/** All of it, as long as a message may be so long. */
export const readStandardInput = Effect.tryPromise({
  try: async () => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    for await (const chunk of process.stdin) {
      const piece = chunk as Buffer
      bytes += piece.length
      if (bytes > maxMessageBytes.max) throw new Error(`a payload is at most ${maxMessageBytes.max} bytes long`)
      chunks.push(piece)
    }
    return Buffer.concat(chunks)
  },
  catch: (cause) => new UsageError({ message: `standard input: ${cause instanceof Error ? cause.message : cause}` }),
})
