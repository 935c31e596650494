/**
 * One line on a terminal that says how far a long test is. Elsewhere nothing.
 */
export const showProgress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}
