/**
 * A process with a client of NATS, Node's official one. Topics are subjects with dots instead of slashes.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node"
import { Count, inFlight, obey } from "./commands.ts"

const received = new Count()
/** Between two times of letting the socket have its turn, and of asking the server whether it has everything. */
const batchSize = 1000
const flushEvery = 50

let connection: NatsConnection

obey(async (command, ready) => {
  switch (command.do) {
    case "connect": {
      if (!("port" in command.address)) throw new Error("NATS listens on TCP")
      connection = await connect({ servers: `${command.address.host}:${command.address.port}`, name: command.name })
      if (command.filter !== undefined) {
        connection.subscribe(command.filter, { callback: () => received.add(1) })
        await connection.flush()
      }
      return
    }
    case "receive": {
      const all = received.more(command.count)
      ready()
      return all
    }
    case "answer":
      connection.subscribe("echo", { callback: (_, message) => void message.respond(message.data) })
      return connection.flush()
    case "send": {
      const { frame, count, payloadBytes, window } = command
      const payload = Buffer.alloc(payloadBytes, "x")
      if (frame.type === "call") {
        return inFlight(count, window, () => connection.request(frame.method, payload, { timeout: 10_000 }))
      }
      const subject = frame.type === "publish" ? frame.topic : frame.target
      for (let batch = 0; batch < count / batchSize; batch++) {
        for (let i = 0; i < batchSize; i++) connection.publish(subject, payload)
        if (batch % flushEvery === 0) await connection.flush()
        else await new Promise(setImmediate)
      }
      return connection.flush()
    }
  }
})
