/**
 * What an examination has found so far. Of each kind only so many findings are told one by one: a store can have a
 * million of one kind, and nobody reads on after the first hundred.
 */
import { type Finding, type FindingKind, remedies } from "../Examination.ts"

/** Findings of one kind that are told. */
const toldMax = 100

export type Place = Omit<Finding, "kind" | "message" | "remedy">

export class Report {
  private readonly tell: (finding: Finding) => void
  private readonly counts = new Map<FindingKind, number>()

  constructor(tell: (finding: Finding) => void) {
    this.tell = tell
  }

  add(kind: FindingKind, message: string, place: Place = {}): void {
    const count = (this.counts.get(kind) ?? 0) + 1
    this.counts.set(kind, count)
    if (count <= toldMax) this.tell({ kind, message, remedy: remedies[kind], ...place })
    if (count === toldMax + 1) {
      this.tell({ kind, message: `there are more findings of this kind than ${toldMax}`, remedy: remedies[kind] })
    }
  }

  get count(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }
}
