import { describe, expect, it } from "vitest"
import { judge, type Signs } from "../../src/readiness/verdict.ts"

const bounds = { stallMillis: 5000, calmMillis: 2000 }

const well: Signs = {
  now: 100_000,
  held: undefined,
  writingSince: undefined,
  failedWrite: undefined,
  lookingSince: undefined,
  wellAt: 99_500,
  sick: undefined,
  loop: { from: 99_400, to: 100_400 },
  heldUp: undefined,
}
const judged = (signs: Partial<Signs>) => judge({ ...well, ...signs }, bounds)

describe("the event loop", () => {
  it("makes a node not ready while it is held up, and until it was free for a while", () => {
    expect(judged({})).toBeUndefined()
    expect(judged({ loop: { from: 94_000, to: 95_000 } })).toBeUndefined()
    expect(judged({ loop: { from: 93_900, to: 94_900 } })).toEqual({
      error: "the event loop is held up",
      since: 93_900,
    })
    const heldUp = { from: 92_000, to: 99_500 }
    expect(judged({ heldUp })).toEqual({ error: "the event loop was held up for 7.5 s", since: 92_000 })
    expect(judged({ heldUp, now: 101_500 })).toBeDefined()
    expect(judged({ heldUp, now: 101_501 })).toBeUndefined()
  })
})

describe("of several troubles", () => {
  const held = { error: "stopping", since: 1 }
  const sick = { error: "the store stopped writing", since: 2 }
  const failedWrite = { error: "the disk is full", since: 99_000 }

  it("the cause is told, not what comes of it", () => {
    expect(judged({ held, sick, failedWrite, writingSince: 3 })).toBe(held)
    expect(judged({ sick, failedWrite, writingSince: 3 })).toBe(sick)
    expect(judged({ failedWrite, writingSince: 3, lookingSince: 4 })).toMatchObject({ since: 3 })
    expect(judged({ failedWrite, lookingSince: 4 })).toMatchObject({ since: 4 })
    expect(judged({ failedWrite })).toBe(failedWrite)
  })

  it("a failed write is told until the store was found well long enough after it", () => {
    expect(judged({ failedWrite, wellAt: 103_999 })).toBe(failedWrite)
    expect(judged({ failedWrite, wellAt: 104_000 })).toBeUndefined()
    expect(judged({ failedWrite, wellAt: undefined })).toBe(failedWrite)
  })
})
