/** A table for people: columns as wide as what is in them. */

export interface Column<Row> {
  readonly title: string
  readonly of: (row: Row) => string
  readonly isRight: boolean
}

export const left = <Row>(title: string, of: (row: Row) => string): Column<Row> => ({ title, of, isRight: false })

/** For figures. */
export const right = <Row>(title: string, of: (row: Row) => string): Column<Row> => ({ title, of, isRight: true })

/** The titles, and a line for each row. */
export const table = <Row>(columns: ReadonlyArray<Column<Row>>, rows: ReadonlyArray<Row>): string => {
  const cells = columns.map(({ isRight, of, title }) => {
    const texts = [title, ...rows.map(of)]
    const width = Math.max(...texts.map(({ length }) => length))
    return texts.map((text) => (isRight ? text.padStart(width) : text.padEnd(width)))
  })
  const lines = Array.from({ length: rows.length + 1 }, (_, row) => cells.map((column) => column[row]!).join("  "))
  return lines.map((line) => `${line.trimEnd()}\n`).join("")
}
