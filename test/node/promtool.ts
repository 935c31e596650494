/** Prometheus's own tool, which knows what metrics and alerts have to look like. */
import { spawnSync } from "node:child_process"

/** Why it cannot be asked here, if so. Where tests must not be skipped (CI=true) that is an error. */
export const obstacle = ((): string | undefined => {
  if (spawnSync("promtool", ["--version"]).error === undefined) return undefined
  const why = "there is no promtool (it is in Debian's package prometheus)"
  if (process.env["CI"] === "true") throw new Error(`metrics and alerts cannot be checked: ${why}`)
  console.warn(`metrics and alerts are not checked by Prometheus: ${why}`)
  return why
})()

/** Runs it; gives its exit code and what it said. */
export const promtool = (args: ReadonlyArray<string>, input = "") => {
  const { status, stderr, stdout } = spawnSync("promtool", args, { input, encoding: "utf8" })
  return { status, said: `${stdout}${stderr}` }
}
