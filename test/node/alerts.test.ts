/**
 * The alerts that we suggest are about metrics that there are, are explained, and fire when they should.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../house/project.ts"
import { obstacle, promtool } from "./promtool.ts"

const path = join(root, "docs/deploy/prometheus-alerts.yml")
const rules = readFileSync(path, "utf8")
const metrics = readFileSync(join(root, "docs/metrics.md"), "utf8")
const guide = readFileSync(join(root, "docs/guides/operating-a-node.md"), "utf8")

const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)\n {8}expr: (.+)$/gm)].map(([, name, expr]) => ({
  name: name!,
  expr: expr!,
}))

describe("the alerts", () => {
  it("are about metrics that the documentation lists, which are those of a node", () => {
    expect(alerts.length).toBe(rules.split("- alert:").length - 1)
    const names = new Set(alerts.flatMap(({ expr }) => expr.match(/\b(millrace|nodejs|process)_\w+/g) ?? []))
    expect(names.size).toBeGreaterThan(8)
    const unknown = [...names].filter((name) => !metrics.includes(`\`${name.replace(/_bucket$/, "")}\``))
    expect(unknown).toEqual([])
  })

  it("are all explained, and nothing else is", () => {
    const explained = [...guide.matchAll(/^\| `(Millrace\w+)` /gm)].map(([, name]) => name)
    expect(explained.toSorted()).toEqual(alerts.map(({ name }) => name).toSorted())
  })

  it.skipIf(obstacle !== undefined)("are rules of Prometheus", () => {
    expect(promtool(["check", "rules", "--lint-fatal", path])).toMatchObject({ status: 0 })
  })

  it.skipIf(obstacle !== undefined)("fire when they should, and not when they should not", () => {
    const cases = fileURLToPath(new URL("./alerts.yml", import.meta.url))
    expect(promtool(["test", "rules", cases])).toMatchObject({ status: 0 })
  })
})
