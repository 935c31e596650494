/**
 * Gauges of things whose number nobody bounds, such as queues: a series for each of the first fifty, and one for all
 * others together.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"

/** Things that have a series of their own. */
const seriesMax = 50

/** Stands for the things beyond those. */
const others = "(others)"

/** A gauge, and what it says of several things together. */
export interface Column {
  readonly gauge: Metric.Gauge<number>
  readonly together: "sum" | "max"
}

/** A thing, with a value for each column. */
export interface Row {
  readonly name: string
  readonly values: ReadonlyArray<number>
}

export class TopSeries {
  readonly #label: string
  readonly #columns: ReadonlyArray<Column>
  #shown = new Set<string>()

  /** @param label what the things are called in the series */
  constructor(label: string, columns: ReadonlyArray<Column>) {
    this.#label = label
    this.#columns = columns
  }

  /** Shows things, the most important ones first; those that were shown and are not among them any more disappear. */
  show(things: ReadonlyArray<Row>, services: Context.Context<never>): void {
    const rows = things.slice(0, seriesMax)
    if (things.length > seriesMax) rows.push(this.#merged(things.slice(seriesMax)))
    const names = new Set(rows.map(({ name }) => name))
    for (const name of this.#shown) {
      if (names.has(name)) continue
      for (const { gauge } of this.#columns) Metric.removeUnsafe(this.#series(gauge, name), services)
    }
    for (const { name, values } of rows) {
      this.#columns.forEach(({ gauge }, i) => this.#series(gauge, name).updateUnsafe(values[i]!, services))
    }
    this.#shown = names
  }

  #series(gauge: Metric.Gauge<number>, name: string): Metric.Gauge<number> {
    return Metric.withAttributes(gauge, { [this.#label]: name })
  }

  #merged(things: ReadonlyArray<Row>): Row {
    const values = this.#columns.map(({ together }, i) => {
      const all = things.map((thing) => thing.values[i]!)
      return together === "sum" ? all.reduce((sum, value) => sum + value, 0) : Math.max(...all)
    })
    return { name: others, values }
  }
}
