/**
 * Registering a name on a new connection.
 */
import * as Effect from "effect/Effect"
import * as ClientName from "../../../domain/ClientName.ts"
import { AccessDenied, InvalidArgument, Unavailable } from "../../../domain/errors.ts"
import { NameTaken, PrimaryMissing } from "../../../domain/liveErrors.ts"
import type { ConnectError } from "../../../exchange/index.ts"
import type { Connection, Reader } from "../../../transport/Connection.ts"
import { ClientHandshake, greeting, registration } from "../codec/handshake.ts"
import { ResultCode, resultName } from "../codec/results.ts"

const refused = (name: string, result: number): ConnectError => {
  switch (result) {
    case ResultCode.data:
      return new InvalidArgument({ argument: "name", message: `the server does not take the name ${name}` })
    case ResultCode.busy:
      return new NameTaken({ name, message: `the name ${name} is taken` })
    case ResultCode.notRegistered: {
      const primary = ClientName.primaryOf(name)
      const message = `${primary} is not connected, so ${name} cannot be its secondary`
      return new PrimaryMissing({ name, primary, message })
    }
    case ResultCode.accessDenied: {
      const message = `access rules do not let ${name} connect`
      return new AccessDenied({ verb: "connect", object: name, principal: ClientName.primaryOf(name), message })
    }
    default:
      return new Unavailable({ message: `the server does not take us: ${resultName(result)}` })
  }
}

/** What reads a connection once the name is registered. */
export interface Registered extends Reader {
  /** The name is registered. The rest came behind the handshake. */
  readonly begin: (rest: Uint8Array) => void
}

/** Does the handshake, and then leaves the connection to its reader, which is told of its end too. */
export const register = (connection: Connection, name: string, reader: Registered): Effect.Effect<void, ConnectError> =>
  Effect.callback((resume) => {
    const handshake = new ClientHandshake()
    let state: "shaking" | "registered" | "over" = "shaking"
    const fail = (error: ConnectError): void => {
      state = "over"
      resume(Effect.fail(error))
    }
    const shake = (chunk: Uint8Array): void => {
      for (const step of handshake.push(chunk)) {
        switch (step.type) {
          case "greeted":
            connection.write(greeting)
            break
          case "accepted":
            connection.write(registration(name))
            break
          case "registered":
            state = "registered"
            reader.begin(step.rest)
            resume(Effect.void)
            break
          case "refused":
            fail(refused(name, step.result))
            break
          case "malformed":
            fail(new Unavailable({ message: `what answers there does not speak BUS/RT: ${step.reason}` }))
            break
        }
      }
    }
    connection.attach({
      onChunk: (chunk) => {
        if (state === "registered") reader.onChunk(chunk)
        else if (state === "shaking") shake(chunk)
      },
      onDrain: () => {
        if (state === "registered") reader.onDrain()
      },
      onClose: (error) => {
        if (state === "registered") reader.onClose(error)
        else fail(new Unavailable({ message: error?.message ?? "the server closed the connection" }))
      },
    })
  })
