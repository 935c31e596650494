/**
 * A consumer that handles nothing gets a window full and no more, however much there is.
 */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Window, windowBytes } from "../../../src/protocol/grpc/cursors/Window.ts"

it("a sender waits while the window is full, until enough of it is handled", () => {
  const window = new Window()
  for (let position = 1n; position <= 4n; position++) window.add(position, windowBytes / 4)
  const waiting = Effect.runFork(window.room)
  expect(waiting.pollUnsafe()).toBeUndefined()
  // Nothing of what was sent lies before it.
  window.handled(0n)
  expect(waiting.pollUnsafe()).toBeUndefined()
  window.handled(2n)
  expect(waiting.pollUnsafe()).toBeDefined()
  window.add(5n, windowBytes / 4)
  expect(Effect.runFork(window.room).pollUnsafe()).toBeDefined()
  window.add(6n, windowBytes)
  const next = Effect.runFork(window.room)
  window.handled(5n)
  expect(next.pollUnsafe()).toBeUndefined()
  window.handled(6n)
  expect(next.pollUnsafe()).toBeDefined()
})

it("a sender that goes on at once, and waits again, is woken again", () => {
  const window = new Window()
  let sent = 0n
  const sender = Effect.runFork(
    Effect.forever(
      Effect.map(window.room, () => window.add(++sent, windowBytes / 2)),
      { disableYield: true },
    ),
  )
  for (let handled = 0n; handled < 5n; handled++) {
    window.handled(handled)
    expect(sent).toBe(handled + 2n)
  }
  sender.interruptUnsafe()
})
