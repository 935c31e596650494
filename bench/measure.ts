/**
 * How figures are taken: ours and a baseline in turn, at least five times, after a round that is thrown away. What is
 * reported is the median of each and the median of the ratios of the pairs, because absolute numbers mean nothing on a
 * machine that others use too.
 */

export interface Row {
  readonly suite: string
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The baseline's value, and ours in proportion to it: for a rate, above 1 is better than the baseline. */
  readonly baseline?: number
  readonly ratio?: number
  /** What the baseline is. */
  readonly against?: string
}

/** A measurement: gives its figure. */
export type Measure = () => Promise<number>

/** What there is nothing to compare with. */
export interface Alone {
  readonly name: string
  readonly unit: string
  readonly ours: Measure
}

export interface Pair extends Alone {
  readonly baseline: Measure
  readonly against: string
}

export const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Measures a pair in turn, `times` times. */
export const comparePair = async (suite: string, pair: Pair, times: number): Promise<Row> => {
  const ours: Array<number> = []
  const baselines: Array<number> = []
  for (let i = -1; i < times; i++) {
    // Who goes first changes, so that neither always meets the other's garbage.
    const [a, b] = i % 2 === 0 ? [pair.ours, pair.baseline] : [pair.baseline, pair.ours]
    const first = await a()
    const second = await b()
    if (i < 0) continue
    ours.push(i % 2 === 0 ? first : second)
    baselines.push(i % 2 === 0 ? second : first)
  }
  return {
    suite,
    name: pair.name,
    value: median(ours),
    unit: pair.unit,
    baseline: median(baselines),
    ratio: median(ours.map((value, i) => value / baselines[i]!)),
    against: pair.against,
  }
}

/** Measures what there is no baseline for, `times` times. */
export const measureAlone = async (suite: string, { name, ours, unit }: Alone, times: number): Promise<Row> => {
  const values: Array<number> = []
  for (let i = -1; i < times; i++) {
    const value = await ours()
    if (i >= 0) values.push(value)
  }
  return { suite, name, value: median(values), unit }
}

/** Things done in a second, of `count` done by `work`. */
export const rate = async (count: number, work: () => unknown): Promise<number> => {
  const start = performance.now()
  await work()
  return (count / (performance.now() - start)) * 1000
}
