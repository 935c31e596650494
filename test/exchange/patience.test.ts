/** How long senders wait for a recipient that does not keep up. */
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { Patience } from "../../src/exchange/Patience.ts"

const wait = (patience: Patience): Promise<void> => new Promise((resolve) => patience.wait(resolve))

describe("patience with a recipient", () => {
  it("ends, and is there again when the recipient has caught up", async () => {
    const patience = new Patience(20)
    await wait(patience)
    expect(patience.isLeft).toBe(false)
    // Nobody waits any more.
    await wait(patience)
    patience.eased()
    expect(patience.isLeft).toBe(true)
    const waiting = wait(patience)
    patience.eased()
    await waiting
    expect(patience.isLeft).toBe(true)
    const forGood = wait(patience)
    patience.end()
    await forGood
    expect(patience.isLeft).toBe(false)
  })

  it("does not end while the process is held up, and nobody can be seen to read", async () => {
    const patience = new Patience(50)
    const waiting = wait(patience)
    const until = performance.now() + 100
    while (performance.now() < until);
    // Timers that are due have their turn before the second of these.
    await setImmediate()
    await setImmediate()
    expect(patience.isLeft).toBe(true)
    patience.eased()
    await waiting
  })
})
