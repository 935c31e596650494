/** An echo at a socket: `fewHandlesApp.ts PATH`. It says `ready`, and runs until it is killed. */
import { Effect } from "effect"
import * as Transport from "../../src/transport/index.ts"

const [path = ""] = process.argv.slice(2)

const app = Effect.gen(function* () {
  const listener = yield* Transport.listen({ kind: "unix", path })
  console.log("ready")
  yield* listener.run((connection) => {
    connection.attach({ onChunk: (chunk) => connection.write(chunk), onDrain: () => {}, onClose: () => {} })
    return connection.closed
  })
})

await Effect.runPromise(Effect.scoped(app))
