/** How long to wait after so many failures in a row: twice as long each time, up to a limit. In milliseconds. */
export const backoffMillis = (failures: number, firstMillis: number, millisMax: number): number =>
  Math.min(firstMillis * 2 ** Math.min(Math.max(failures - 1, 0), 30), millisMax)
