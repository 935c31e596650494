/**
 * `npm run soak -- NAME [options]`: tests that take as long as one likes. Prints one line of figures; exits with 1 where
 * they are not as they should be, and with 2 where it was called wrongly.
 */
interface Soak {
  readonly run: (args: ReadonlyArray<string>) => Promise<boolean>
}

/** Loaded only when run. */
const soaks: Readonly<Record<string, () => Promise<Soak>>> = {
  eio: () => import("./eio.ts"),
  kills: () => import("./kills.ts"),
  large: () => import("./large.ts"),
  "power-loss": () => import("./powerLoss.ts"),
  replication: () => import("./replication.ts"),
  simulation: () => import("./simulation.ts"),
  "slow-client": () => import("./slowClient.ts"),
  "slow-subscriber": () => import("./slowSubscriber.ts"),
}

const [name = "", ...args] = process.argv.slice(2)
const load = soaks[name]
try {
  if (load === undefined) throw new Error(`say which: ${Object.keys(soaks).join(" or ")}`)
  const { run } = await load()
  process.exitCode = (await run(args)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
