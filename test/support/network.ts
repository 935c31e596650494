/**
 * Two machines and a router between them, as network namespaces: what the router does not forward is lost, and nobody is
 * told. Needs root, and iproute2.
 */
import { spawnSync } from "node:child_process"
import { Effect } from "effect"

export interface Machine {
  readonly address: string
  /** The command that runs another one there. */
  readonly within: ReadonlyArray<string>
}

export interface Network {
  readonly machines: readonly [Machine, Machine]
  /** Whether the router forwards. */
  readonly forward: (yes: boolean) => void
}

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`)
}

const ip = (...args: ReadonlyArray<string>): void => run("ip", ...args)

/** Whether this machine lets us make namespaces. */
export const canMakeNetworks = (): boolean => {
  const name = `millrace-${process.pid}-probe`
  if (spawnSync("ip", ["netns", "add", name]).status !== 0) return false
  ip("netns", "del", name)
  return true
}

const enter = (name: string): ReadonlyArray<string> => ["ip", "netns", "exec", name]

/** Gone with the scope. */
export const make = Effect.gen(function* () {
  const names = ["router", "left", "right"].map((name) => `millrace-${process.pid}-${name}`)
  const [router = "", ...ends] = names
  for (const name of names) {
    yield* Effect.acquireRelease(
      Effect.sync(() => ip("netns", "add", name)),
      () => Effect.sync(() => ip("netns", "del", name)),
    )
  }
  const machines = ends.map((name, i): Machine => {
    const [link, address, gateway] = [`mr${process.pid}-${i}`, `10.213.${i}.2`, `10.213.${i}.1`]
    ip("-n", router, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
    for (const [where, device, own] of [
      [router, link, gateway],
      [name, "eth0", address],
    ] as const) {
      ip("-n", where, "addr", "add", `${own}/24`, "dev", device)
      ip("-n", where, "link", "set", device, "up")
    }
    ip("-n", name, "link", "set", "lo", "up")
    ip("-n", name, "route", "add", "default", "via", gateway)
    return { address, within: enter(name) }
  })
  const forward = (yes: boolean): void => {
    const [command = "", ...args] = enter(router)
    run(command, ...args, "sysctl", "-qw", `net.ipv4.ip_forward=${yes ? 1 : 0}`)
  }
  forward(true)
  const network: Network = { machines: [machines[0]!, machines[1]!], forward }
  return network
})
