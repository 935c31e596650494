/**
 * From the signs that a node gives to whether it is ready. Pure. Times are those of a clock that never goes back, in
 * milliseconds.
 */

/** Something that is wrong, and since when. */
export interface Trouble {
  readonly error: string
  readonly since: number
}

/** A stretch of time. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

export interface Signs {
  readonly now: number
  /** What its owner says. */
  readonly held: Trouble | undefined
  /** When the oldest write that is under way went to the store. */
  readonly writingSince: number | undefined
  /** The last write that failed, where none has succeeded since. */
  readonly failedWrite: Trouble | undefined
  /** When the look at the store that is under way began. */
  readonly lookingSince: number | undefined
  /** When the last look that found the store well was over. */
  readonly wellAt: number | undefined
  /** What the last look at the store found, if it was not well. */
  readonly sick: Trouble | undefined
  /** When the event loop's last turn was, and by when the next was due. */
  readonly loop: Stretch
  /** The last time that the event loop was held up for too long. */
  readonly heldUp: Stretch | undefined
}

export interface Bounds {
  /** How long anything may take. */
  readonly stallMillis: number
  /** How long the event loop must have been free again to be trusted. */
  readonly calmMillis: number
}

/** What keeps the node from being ready, if anything: the first of these, from cause to effect. */
export const judge = (signs: Signs, { stallMillis, calmMillis }: Bounds): Trouble | undefined => {
  const { now, held, loop, heldUp, sick, failedWrite, wellAt, writingSince, lookingSince } = signs
  if (held !== undefined) return held
  if (now - loop.to > stallMillis) return { error: "the event loop is held up", since: loop.from }
  if (heldUp !== undefined && now - heldUp.to <= calmMillis) {
    return { error: `the event loop was held up for ${seconds(heldUp)} s`, since: heldUp.from }
  }
  if (sick !== undefined) return sick
  if (writingSince !== undefined && now - writingSince > stallMillis) {
    return { error: `a commit has been under way for more than ${stallMillis / 1000} s`, since: writingSince }
  }
  if (lookingSince !== undefined && now - lookingSince > stallMillis) {
    return { error: `the store has not answered for more than ${stallMillis / 1000} s`, since: lookingSince }
  }
  // Nobody may dare to write again: a store that was found well a while after its failure is trusted.
  if (failedWrite !== undefined && !(wellAt !== undefined && wellAt - failedWrite.since >= stallMillis)) {
    return failedWrite
  }
  return undefined
}

const seconds = ({ from, to }: Stretch): string => ((to - from) / 1000).toFixed(1)
