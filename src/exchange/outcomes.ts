/**
 * What the routing core answers, as errors for whoever asked.
 */
import * as ClientName from "../domain/ClientName.ts"
import { InvalidArgument } from "../domain/errors.ts"
import { NameTaken, NotDelivered, NotRegistered, PrimaryMissing } from "../domain/liveErrors.ts"
import type { Refusal } from "./registration.ts"

export const invalid = (argument: string, message: string): InvalidArgument =>
  new InvalidArgument({ argument, message })

export { denied } from "../access/denied.ts"

/** The error for a name that was not given. */
export const refused = (name: string, { reason, message }: Refusal): InvalidArgument | NameTaken | PrimaryMissing => {
  switch (reason) {
    case "invalid":
      return invalid("name", message)
    case "taken":
      return new NameTaken({ name, message })
    case "primaryMissing":
      return new PrimaryMissing({ name, primary: ClientName.primaryOf(name), message })
  }
}

export const unregistered = (name: string): NotRegistered =>
  new NotRegistered({ name, message: `no client named ${name} is connected` })

export const full = (name: string): NotDelivered =>
  new NotDelivered({ name, message: `the buffer of the client ${name} is full` })
