/**
 * What patterns over paths have in common, whatever the paths name: one wildcard stands for any one part, another for
 * any rest of at least one part, and what follows the latter is ignored. A wildcard is one only where it is a whole
 * part. Matching walks the path once, and builds no regular expression.
 */

export interface Syntax {
  readonly separator: string
  /** Stands for any one part. */
  readonly one: string
  /** Stands for any rest of at least one part. */
  readonly rest: string
}

/** The parts of a pattern up to and with the first that stands for a rest. */
export const parts = (syntax: Syntax, pattern: string): ReadonlyArray<string> => {
  const all = pattern.split(syntax.separator)
  const rest = all.indexOf(syntax.rest)
  return rest === -1 ? all : all.slice(0, rest + 1)
}

/** Whether the pattern can match more than one path. */
export const hasWildcard = (syntax: Syntax, pattern: string): boolean =>
  parts(syntax, pattern).some((part) => part === syntax.one || part === syntax.rest)

/** A function that tells whether a path matches. Make it once, use it often. */
export const matcher = (syntax: Syntax, pattern: string): ((path: string) => boolean) => {
  if (!hasWildcard(syntax, pattern)) return (path) => path === pattern
  const { separator, one, rest } = syntax
  const all = parts(syntax, pattern)
  const endsInRest = all[all.length - 1] === rest
  const fixed = endsInRest ? all.slice(0, -1) : all
  return (path) => {
    let at = 0
    for (const part of fixed) {
      // The part before this one was the path's last.
      if (at > path.length) return false
      const next = path.indexOf(separator, at)
      const end = next === -1 ? path.length : next
      if (part !== one && (end - at !== part.length || !path.startsWith(part, at))) return false
      at = end + separator.length
    }
    return endsInRest ? at <= path.length : at > path.length
  }
}

/**
 * A function that tells whether all that another pattern can match is matched by this one. Make it once, use it often.
 *
 * Exact, because paths may have any parts: what stands for any part is within nothing but what does so too.
 */
export const container = (syntax: Syntax, outer: string): ((inner: string) => boolean) => {
  const { one, rest } = syntax
  const around = parts(syntax, outer)
  const isOpen = around[around.length - 1] === rest
  const fixed = isOpen ? around.slice(0, -1) : around
  return (inner) => {
    const within = parts(syntax, inner)
    const isInnerOpen = within[within.length - 1] === rest
    // The shortest and the longest that the inner one matches must be as long as the outer one allows.
    if (isOpen ? within.length <= fixed.length : isInnerOpen || within.length !== fixed.length) return false
    return fixed.every((part, at) => part === one || part === within[at])
  }
}

/** What is wrong with a pattern or a path of too many parts, as a sentence without a full stop, or `undefined`. */
export const depthProblem = (what: string, separator: string, path: string, partsMax: number): string | undefined => {
  let parts = 1
  for (let at = path.indexOf(separator); at !== -1; at = path.indexOf(separator, at + separator.length)) parts++
  return parts > partsMax ? `a ${what} has at most ${partsMax} parts, this one has ${parts}` : undefined
}
