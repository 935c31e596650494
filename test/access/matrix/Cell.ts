/**
 * One question to one path: may this principal do this to that? And what came of it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Verb } from "../../../src/access/Verb.ts"
import * as model from "./model.ts"

/** How an attempt ended: whether access rules refused it, and what was seen by it. */
export interface Outcome {
  readonly isDenied: boolean
  /** Topics of messages, logs and cursors that it was shown, or names of queues. */
  readonly seen: ReadonlyArray<string>
}

export interface Cell {
  readonly principal: string
  readonly object: string
  /** What is written by this cell is marked by this, and found by it where it should not be. */
  readonly mark: string
}

/** A way to do something to objects of a kind. */
export interface Path<Place> {
  readonly name: string
  readonly verb: Verb
  readonly objects: ReadonlyArray<string>
  /** What it does as the principal that the place is for. */
  readonly attempt: (place: Place, cell: Cell) => Effect.Effect<Outcome>
  /** Nothing is refused, but what may not be seen is left out. */
  readonly isFiltered?: boolean
  /** Which objects a rule for another verb is about: by default what is shown is judged as `subscribe`. */
  readonly seenAs?: Verb
}

/** Somewhere to do things: as each principal, for as long as it does them. */
export interface Where<Place> {
  readonly name: string
  readonly paths: ReadonlyArray<Path<Place>>
  /** The place as a principal sees it; undefined where it is not let in. */
  readonly as: (principal: string) => Effect.Effect<Place | undefined, never, Scope.Scope>
}

/** What is wrong, one sentence each. */
export interface Findings {
  readonly cells: number
  readonly allowed: number
  readonly leaks: ReadonlyArray<string>
  readonly refusals: ReadonlyArray<string>
  /** Marks of what was denied, and must be found nowhere. */
  readonly deniedMarks: ReadonlySet<string>
}

interface Tally {
  cells: number
  allowed: number
  leaks: Array<string>
  refusals: Array<string>
  deniedMarks: Set<string>
}

let marks = 0

const judge = <Place>(
  tally: Tally,
  where: string,
  path: Path<Place>,
  cell: Cell,
  { isDenied, seen }: Outcome,
): void => {
  const { object, principal, mark } = cell
  const at = `${where}, ${path.name}: ${principal} ${path.verb} ${object}`
  const mayDo = model.isAllowed(principal, path.verb, object)
  tally.cells += 1
  if (mayDo) tally.allowed += 1
  else tally.deniedMarks.add(mark)
  const wasDenied = path.isFiltered === true ? !seen.includes(object) : isDenied
  if (!mayDo && !wasDenied) tally.leaks.push(at)
  if (mayDo && wasDenied) tally.refusals.push(at)
  for (const topic of new Set(seen)) {
    if (!model.isAllowed(principal, path.seenAs ?? "subscribe", topic)) tally.leaks.push(`${at} was shown ${topic}`)
  }
}

/** Asks every question: each path, as each principal, with each object. */
export const ask = <Place>(wheres: ReadonlyArray<Where<Place>>): Effect.Effect<Findings> =>
  Effect.gen(function* () {
    const tally: Tally = { cells: 0, allowed: 0, leaks: [], refusals: [], deniedMarks: new Set() }
    for (const { name, as, paths } of wheres) {
      for (const principal of model.principals) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const place = yield* as(principal)
            for (const path of paths) {
              for (const object of path.objects) {
                const cell: Cell = { principal, object, mark: `mark-${++marks}` }
                const outcome = place === undefined ? { isDenied: true, seen: [] } : yield* path.attempt(place, cell)
                judge(tally, name, path, cell, outcome)
              }
            }
          }),
        )
      }
    }
    return tally
  })

/** The findings of several together. */
export const together = (all: ReadonlyArray<Findings>): Findings => ({
  cells: all.reduce((sum, { cells }) => sum + cells, 0),
  allowed: all.reduce((sum, { allowed }) => sum + allowed, 0),
  leaks: all.flatMap(({ leaks }) => leaks),
  refusals: all.flatMap(({ refusals }) => refusals),
  deniedMarks: new Set(all.flatMap(({ deniedMarks }) => [...deniedMarks])),
})
