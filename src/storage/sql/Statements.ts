/**
 * Statements over many rows: one prepared text for each of a few group sizes, so that any number of rows takes few
 * statements and the database prepares few texts.
 *
 * Rows of 8 columns in groups of 64 go into SQLite at nearly twice the rate of single ones (measured: 500 k against
 * 290 k rows a second at 1,000 rows a commit).
 */
import type { Statement } from "./Session.ts"

/** Rows in one statement, the largest group first. */
const groupSizes = [64, 16, 4, 1] as const

/** A statement whose text is the same but for how many rows it has. */
export interface GroupedStatement {
  /** The texts by their numbers of rows, the largest first. */
  readonly texts: ReadonlyMap<number, string>
}

/**
 * @param columns parameters of one row
 * @param write the text around the list `(?, ?), (?, ?) …`, or around `?, ? …` where there is one column
 * @param single the text for one row, where there is a simpler one
 */
export const grouped = (columns: number, write: (rows: string) => string, single?: string): GroupedStatement => {
  const row = columns === 1 ? "?" : `(${Array.from({ length: columns }, () => "?").join(", ")})`
  const texts = new Map<number, string>()
  for (const size of groupSizes) texts.set(size, write(Array.from({ length: size }, () => row).join(", ")))
  if (single !== undefined) texts.set(1, single)
  return { texts }
}

/**
 * Adds the statements for rows 0 … count - 1 to a list.
 *
 * @param fill adds the parameters of a row to the array
 */
export const addRows = (
  list: Array<Statement>,
  statement: GroupedStatement,
  count: number,
  fill: (params: Array<unknown>, row: number) => void,
): void => {
  let row = 0
  for (const [size, text] of statement.texts) {
    for (; count - row >= size; row += size) {
      const params: Array<unknown> = []
      for (let i = 0; i < size; i++) fill(params, row + i)
      list.push([text, params])
    }
  }
}
