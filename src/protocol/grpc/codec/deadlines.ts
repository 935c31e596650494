/**
 * Deadlines as the gRPC library understands them: times of the machine's wall clock, which it looks at itself, when a
 * call begins or comes in. From then on it runs on timers, so that setting the clock ends no call early.
 *
 * Only the very clock that the library looks at will do. One that was right when the process began, and counts on from
 * there, is hours off once the machine's clock has been set: each call would be over before it begins.
 */
import type { Deadline } from "@grpc/grpc-js"
import * as Clock from "effect/Clock"

/** The machine's, whatever clock a program or a test has set for itself. */
const clock = Clock.Clock.defaultValue()

/** The deadline of a call that begins now. */
export const deadlineIn = (millis: number): Deadline => clock.currentTimeMillisUnsafe() + millis

/** How long a call that has just come in may take: `Infinity` where its caller set no deadline. */
export const millisUntil = (deadline: Deadline): number =>
  Math.max(0, Number(deadline) - clock.currentTimeMillisUnsafe())
