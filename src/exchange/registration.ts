/**
 * Whether a client may have a name, told from who is connected now.
 */
import * as ClientName from "../domain/ClientName.ts"

export interface Refusal {
  readonly reason: "invalid" | "taken" | "primaryMissing"
  /** A sentence without a full stop. */
  readonly message: string
}

export const isRefusal = (value: object): value is Refusal => "reason" in value

export const registerProblem = (
  name: string,
  isOwn: boolean,
  holder: unknown,
  isThere: (primary: string) => boolean,
): Refusal | undefined => {
  const problem = isOwn ? undefined : ClientName.problem(name)
  if (problem !== undefined) return { reason: "invalid", message: problem }
  const { primary, suffix } = ClientName.split(name)
  if (suffix !== undefined && !isThere(primary)) {
    return { reason: "primaryMissing", message: `${primary} is not connected, so ${name} cannot be its secondary` }
  }
  return holder === undefined ? undefined : { reason: "taken", message: `the name ${name} is taken` }
}
