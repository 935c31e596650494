/**
 * Where a principal may connect from: addresses and networks of IPv4 and IPv6, as CIDR.
 */
import { BlockList, isIP } from "node:net"

const familyOf = (address: string): "ipv4" | "ipv6" | undefined => {
  // A zone, as in `fe80::1%eth0`, is this machine's own name for a link.
  const version = address.includes("%") ? 0 : isIP(address)
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : undefined
}

const parse = (network: string) => {
  const [address = "", prefix, ...more] = network.split("/")
  const family = familyOf(address)
  const bitsMax = family === "ipv4" ? 32 : 128
  if (family === undefined || more.length > 0) return undefined
  if (prefix === undefined) return { address, family, bits: bitsMax }
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  return bits <= bitsMax ? { address, family, bits } : undefined
}

/** What is wrong with a network, as a sentence without a full stop, or `undefined`. */
export const networkProblem = (network: string): string | undefined =>
  parse(network) === undefined
    ? `a network is written like 10.1.0.0/16 or fd00::/8, not ${JSON.stringify(network)}`
    : undefined

/** A function that tells whether a source lies within one of the networks. What is no address lies in none. */
export const withinNetworks = (networks: ReadonlyArray<string>): ((source: string) => boolean) => {
  const list = new BlockList()
  for (const network of networks) {
    const parsed = parse(network)
    if (parsed !== undefined) list.addSubnet(parsed.address, parsed.bits, parsed.family)
  }
  return (source) => {
    const address = source.replace(/%.*$/, "")
    const family = familyOf(address)
    // IPv4 addresses that a socket for both families shows as `::ffff:10.1.0.1` are known as what they are.
    return family !== undefined && list.check(address, family)
  }
}
