/**
 * Rows in portions: places first, which are small, then as much content at once as is good for memory.
 */

/** Places, and bytes of content, that are read at once. */
export const rowsMax = 512
const bytesMax = 4 * 1024 * 1024

/** Whether a column holds a number that can be exact. */
export const isCount = (value: unknown, min: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= min

/** Places whose content is read at once: one large one, or as many as fit. */
export const runsOf = <Place extends { readonly bytes: number }>(
  places: ReadonlyArray<Place>,
): ReadonlyArray<ReadonlyArray<Place>> => {
  const list: Array<Array<Place>> = []
  let bytes = 0
  for (const place of places) {
    bytes += place.bytes
    if (list.length === 0 || bytes > bytesMax) {
      list.push([])
      bytes = place.bytes
    }
    list.at(-1)!.push(place)
  }
  return list
}
