/**
 * Names of certificates, by which rules know who shows one: a DNS name, an address or a URI, each as a whole and letter
 * by letter. There are no wildcards, neither in rules nor in certificates, and no common names.
 */
import { isIP, SocketAddress } from "node:net"
import type { CertificateName } from "../domain/CertificateName.ts"

const dnsBytesMax = 253
const uriBytesMax = 1024

const dnsName = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*$/
const uri = /^[A-Za-z][A-Za-z0-9+.-]*:[!-)+-~]+$/

/** One way to write an address. */
const addressOf = (text: string): string =>
  new SocketAddress({ address: text, family: isIP(text) === 4 ? "ipv4" : "ipv6" }).address

/** How a name is written tells what kind it is. */
const kindOf = (name: string): CertificateName["kind"] => (isIP(name) !== 0 ? "ip" : name.includes(":") ? "uri" : "dns")

/** A name of a certificate for comparison; undefined where it can be nobody's. */
const keyOf = ({ kind, value }: CertificateName): string | undefined => {
  if (kind !== "ip") return `${kind} ${value}`
  return isIP(value) === 0 ? undefined : `ip ${addressOf(value)}`
}

/** A name of rules for comparison: two that mean the same are the same. */
export const certificateKey = (name: string): string => keyOf({ kind: kindOf(name), value: name }) ?? name

const isName = (name: string): boolean => {
  switch (kindOf(name)) {
    // A zone is this machine's own name for a link.
    case "ip":
      return !name.includes("%")
    case "uri":
      return uri.test(name) && name.length <= uriBytesMax
    case "dns":
      return dnsName.test(name) && name.length <= dnsBytesMax
  }
}

export const certificateNameExpression = "^[!-)+-~]+$"

/** What is wrong with a name in rules, as a sentence without a full stop, or `undefined`. */
export const certificateNameProblem = (name: string): string | undefined =>
  isName(name)
    ? undefined
    : `the name of a certificate is a DNS name, an address or a URI, written out, not ${JSON.stringify(name)}`

/** A function that finds the owners of the names in a certificate: one where all is well. */
export const ownersByCertificate = (
  owners: ReadonlyArray<{ readonly owner: string; readonly certificates: ReadonlyArray<string> }>,
): ((names: ReadonlyArray<CertificateName>) => ReadonlySet<string>) => {
  const byKey = new Map(
    owners.flatMap(({ certificates, owner }) => certificates.map((name) => [certificateKey(name), owner] as const)),
  )
  return (names) => {
    const found = new Set<string>()
    for (const name of names) {
      const owner = byKey.get(keyOf(name) ?? "")
      if (owner !== undefined) found.add(owner)
    }
    return found
  }
}
