/**
 * `npm run bench -- [--suite NAME]… [--json] [--full | --once]`: runs all suites or some, and prints a table or one JSON
 * object a line. `--once` measures everything once, to see that it can be: what it prints says little about speed.
 */
import { parseArgs } from "node:util"
import type { Row } from "./measure.ts"

export interface SuiteOptions {
  /** Larger and longer. */
  readonly full: boolean
  /** How often each is measured, after a round that is thrown away. */
  readonly times: number
  /** Called with each row as it is there. */
  readonly report: (row: Row) => void
}

export interface Suite {
  readonly run: (options: SuiteOptions) => Promise<void>
}

/** Loaded only where they run: a suite needs what it measures against. */
const suites: Readonly<Record<string, () => Promise<Suite>>> = {
  topics: () => import("./suites/topics.ts"),
  queues: () => import("./suites/queues.ts"),
  grpc: () => import("./suites/grpc.ts"),
  storages: () => import("./suites/storages.ts"),
  exchange: () => import("./suites/exchange.ts"),
  replication: () => import("./suites/replication.ts"),
}

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toLocaleString("en", { maximumSignificantDigits: 3 })

const columns = [30, 12, 12, 12, 7] as const

const line = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, i) =>
      i === 0 ? cell.padEnd(columns[0]) : i === 2 ? ` ${cell.padEnd(columns[2])}` : cell.padStart(columns[i] ?? 0),
    )
    .join(" ")

const printRow = (row: Row): void => {
  const { name, value, unit, baseline, ratio, against } = row
  const figures = [name, number(value), unit, baseline === undefined ? "" : number(baseline)]
  console.log(`${line([...figures, ratio === undefined ? "" : ratio.toFixed(2)])}  ${against ?? ""}`)
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      suite: { type: "string", multiple: true },
      json: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      once: { type: "boolean", default: false },
    },
  })
  const names = values.suite ?? Object.keys(suites)
  for (const name of names) {
    const load = suites[name]
    if (load === undefined) throw new Error(`there is no suite ${name}: there are ${Object.keys(suites).join(", ")}`)
    const { run } = await load()
    if (!values.json) {
      console.log(`\n${name}`)
      console.log(`${line(["", "value", "unit", "baseline", "ratio"])}  baseline is`)
    }
    const times = values.once ? 1 : values.full ? 9 : 5
    await run({ full: values.full, times, report: values.json ? (row) => console.log(JSON.stringify(row)) : printRow })
  }
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
