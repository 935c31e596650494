/**
 * The figures of a node as a table of 80 columns, and as one line. Plain functions.
 */
import type { StatsFigures } from "./statsFigures.ts"
import { age, bytes, count, millis, rate } from "../io/units.ts"

const columns = 80

/** Rows of subscriptions and of queues where nobody says how many there is room for. */
const rowsDefault = 10

/** Text in so many columns; what is longer is cut and says so. */
const fit = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

const right = (text: string, width: number): string => fit(text.padStart(width), width)

/** Three cells a line: what it is on the left, the figure on the right. */
const cells = (entries: ReadonlyArray<readonly [name: string, figure: string]>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let i = 0; i < entries.length; i += 3) {
    const line = entries.slice(i, i + 3).map(([name, figure]) => `${name}${figure.padStart(24 - name.length)}`)
    lines.push(line.join("    "))
  }
  return lines
}

const head = (figures: StatsFigures): ReadonlyArray<string> => {
  const up = `up ${age(figures.uptime)}`
  const state = figures.ready ? "READY" : "NOT READY"
  const first = `${fit(`${figures.node}  ${state}`, columns - up.length - 2)}  ${up}`
  return figures.ready ? [first] : [first, fit(`  ${figures.error} (since ${figures.since})`, columns).trimEnd()]
}

const summary = ({ loopDelay, messages, operations, process, store, ...rest }: StatsFigures): ReadonlyArray<string> =>
  cells([
    ["publishes", rate(messages.entriesPerSecond)],
    ["commits", rate(messages.perSecond)],
    ["per commit", count(messages.entriesPerCommit)],
    ["commit p50", millis(messages.p50)],
    ["commit p99", millis(messages.p99)],
    ["waiting", count(rest.writesWaiting)],
    ["bytes", rest.bytesPerSecond === undefined ? "–" : `${bytes(rest.bytesPerSecond)}/s`],
    ["failed commits", count(messages.failures + operations.failures)],
    ["failed publishes", count(rest.publishFailures)],
    ["queue operations", rate(operations.entriesPerSecond)],
    ["queue commits", rate(operations.perSecond)],
    ["queue commit p99", millis(operations.p99)],
    ["loop delay p50", millis(loopDelay.p50)],
    ["loop delay p99", millis(loopDelay.p99)],
    ["loop delay max", millis(loopDelay.max)],
    ["database", bytes(store?.databaseBytes)],
    ["wal", bytes(store?.walBytes)],
    ["free disk", bytes(store?.freeBytes)],
    ["memory", bytes(process.residentBytes)],
    ["heap", bytes(process.heapBytes)],
    ["connections", count(rest.connections)],
  ])

const more = (left: number): ReadonlyArray<string> => (left > 0 ? [`  … ${count(left)} more`] : [])

const subscribers = (figures: StatsFigures, rowsMax: number): ReadonlyArray<string> => {
  const rows = figures.subscribers.slice(0, rowsMax)
  return [
    `${fit(`SUBSCRIPTIONS ${count(figures.subscriptions)}, SLOWEST FIRST`, 54)}${right("BEHIND", 12)}${right("STATE", 14)}`,
    ...rows.map(({ filter, lag, live, origin }) => {
      const name = origin === undefined ? filter : `${filter} of ${origin}`
      return `  ${fit(name, 52)}${right(count(lag), 12)}${right(live ? "live" : "catching up", 14)}`
    }),
    ...more(figures.subscriptions - rows.length),
  ]
}

const queues = (figures: StatsFigures, rowsMax: number): ReadonlyArray<string> => {
  const rows = figures.queues.slice(0, rowsMax)
  const name = `QUEUES ${count(figures.queueCount)}, ${count(figures.takers)} TAKEN`
  return [
    `${fit(name, 36)}${right("DEPTH", 10)}${right("OLDEST", 12)}${right("IN", 11)}${right("OUT", 11)}`,
    ...rows.map(
      ({ depth, inPerSecond, oldestAge, outPerSecond, queue }) =>
        `  ${fit(queue, 33)} ${right(count(depth), 10)}${right(age(oldestAge), 12)}` +
        `${right(rate(inPerSecond), 11)}${right(rate(outPerSecond), 11)}`,
    ),
    ...more(figures.queueCount - rows.length),
  ]
}

const cursors = (figures: StatsFigures, rowsMax: number): ReadonlyArray<string> => {
  const rows = figures.cursors.slice(0, rowsMax)
  return [
    `${fit(`CURSORS ${count(figures.cursorCount)}, FARTHEST BEHIND FIRST`, 54)}${right("BEHIND", 12)}${right("STATE", 14)}`,
    ...rows.map(
      ({ filter, held, lag, name }) =>
        `  ${fit(`${name} (${filter})`, 52)}${right(count(lag), 12)}${right(held ? "held" : "nobody's", 14)}`,
    ),
    ...more(figures.cursorCount - rows.length),
  ]
}

const peers = (figures: StatsFigures, rowsMax: number): ReadonlyArray<string> => {
  const rows = figures.peers.slice(0, rowsMax)
  return [
    `${fit(`PEERS ${count(figures.peers.length)}`, 42)}${right("BEHIND", 12)}${right("SILENT FOR", 12)}${right("STATE", 14)}`,
    ...rows.map(
      ({ lag, peer, silence, state }) =>
        `  ${fit(peer, 40)}${right(count(lag), 12)}${right(age(silence), 12)}${right(state, 14)}`,
    ),
    ...more(figures.peers.length - rows.length),
  ]
}

/** Shares rows out to parts, each as many as it wants as long as there are some left for those after it. */
const share = (rows: number, wanted: ReadonlyArray<number>): ReadonlyArray<number> => {
  let left = rows
  return wanted.map((want, i) => {
    const given = Math.min(want, Math.max(Math.floor(left / (wanted.length - i)), left - sum(wanted.slice(i + 1))))
    left -= given
    return given
  })
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** The lines of the table, at most so many of them. */
export const table = (figures: StatsFigures, linesMax: number = Infinity): ReadonlyArray<string> => {
  const top = [...head(figures), "", ...summary(figures)]
  const parts = [
    { show: subscribers, rows: figures.subscribers.length },
    // Most nodes have none.
    ...(figures.cursorCount === 0 ? [] : [{ show: cursors, rows: figures.cursors.length }]),
    ...(figures.peers.length === 0 ? [] : [{ show: peers, rows: figures.peers.length }]),
    { show: queues, rows: figures.queues.length },
  ]
  // Of each part: an empty line, its heading, and a line for what is left out.
  const room = Math.min(Math.max(0, linesMax - top.length - 3 * parts.length), rowsDefault * parts.length)
  const shares = share(
    room,
    parts.map(({ rows }) => rows),
  )
  return [...top, ...parts.flatMap(({ show }, i) => ["", ...show(figures, shares[i]!)])]
}

/** All that fits a line, as `name=figure`. */
export const line = (figures: StatsFigures): string => {
  const { cursors, loopDelay, messages, queues, store, subscribers } = figures
  const slowest = subscribers[0]
  const oldest = queues.reduce((most, { oldestAge = 0 }) => Math.max(most, oldestAge), 0)
  const depth = queues.reduce((sum, queue) => sum + queue.depth, 0)
  const entries: ReadonlyArray<readonly [string, number | undefined]> = [
    ["publishes/s", messages.entriesPerSecond],
    ["commits/s", messages.perSecond],
    ["per-commit", messages.entriesPerCommit],
    ["commit-p50-ms", messages.p50 === undefined ? undefined : messages.p50 * 1000],
    ["commit-p99-ms", messages.p99 === undefined ? undefined : messages.p99 * 1000],
    ["waiting", figures.writesWaiting],
    ["subscriptions", figures.subscriptions],
    ["lag", Math.max(slowest?.lag ?? 0, cursors[0]?.lag ?? 0)],
    ["queue-items", depth],
    ["oldest-item-s", oldest],
    ["loop-p99-ms", loopDelay.p99 * 1000],
    ["database-bytes", store?.databaseBytes],
    ["wal-bytes", store?.walBytes],
  ]
  const texts = entries.map(([name, value]) => `${name}=${value === undefined ? "-" : Number(value.toFixed(2))}`)
  return [figures.time, figures.ready ? "ready" : `not-ready(${figures.error})`, ...texts].join(" ")
}
