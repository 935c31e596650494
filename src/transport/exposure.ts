/** Who can reach an endpoint: this machine alone, or others too. */
import * as net from "node:net"
import { type Endpoint, isFile } from "./Endpoint.ts"

const loopback = new net.BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether an address is this machine's own, however it is written: an IPv4 address may be in an IPv6 one. */
export const isLoopbackAddress = (address: string): boolean =>
  net.isIPv4(address) ? loopback.check(address) : net.isIPv6(address) && loopback.check(address, "ipv6")

/**
 * Whether others than this machine may reach what listens there. A name other than `localhost` may stand for any
 * address, and so does an address that is not written out, such as `127.1`: yes.
 */
export const isExposed = (endpoint: Endpoint): boolean =>
  !isFile(endpoint) && endpoint.host.toLowerCase() !== "localhost" && !isLoopbackAddress(endpoint.host)
