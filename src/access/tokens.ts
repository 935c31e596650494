/**
 * Bearer tokens, of which rules know the hashes only.
 */
import { createHash, timingSafeEqual } from "node:crypto"

const hashed = (token: string): Buffer => createHash("sha256").update(token, "utf8").digest()

/** A token as rules have it: `sha256:` and the hash in hexadecimal. */
export const hashOf = (token: string): string => `sha256:${hashed(token).toString("hex")}`

export const tokenHashExpression = "^sha256:[0-9a-fA-F]{64}$"

const tokenHash = new RegExp(tokenHashExpression)

/** What is wrong with a hash, as a sentence without a full stop, or `undefined`. It is not repeated: it may be the token. */
export const tokenHashProblem = (hash: string): string | undefined =>
  tokenHash.test(hash) ? undefined : 'a token is written "sha256:" and its SHA-256 hash in 64 hexadecimal digits'

interface Known<A> {
  readonly hash: Buffer
  readonly owner: A
}

/**
 * A function that finds the owner of a token. It takes as long for a token that is nearly right as for any other: every
 * hash is compared, and each as a whole.
 */
export const ownerByToken = <A>(
  owners: ReadonlyArray<{ readonly owner: A; readonly tokens: ReadonlyArray<string> }>,
): ((token: string) => A | undefined) => {
  const known: ReadonlyArray<Known<A>> = owners.flatMap(({ owner, tokens }) =>
    tokens.map((token) => ({ owner, hash: Buffer.from(token.slice("sha256:".length), "hex") })),
  )
  return (token) => {
    const hash = hashed(token)
    let found: A | undefined
    for (const { hash: candidate, owner } of known) if (timingSafeEqual(hash, candidate)) found = owner
    return found
  }
}
