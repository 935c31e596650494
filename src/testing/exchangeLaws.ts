/**
 * The laws of the live plane, to be run against any layer that provides `Exchange`: the one in this process, an
 * application's own decorators around it, or a node elsewhere over any of its sockets.
 *
 * Random programs (see `exchange/program`) run on the layer and on a model: who may connect, whom what is sent reaches,
 * with which outcome, in which order, each once, and who is there in the end has to be the same. A broken law names the
 * smallest program found that breaks it and the seed that finds it again.
 *
 * A world that is a function is made anew for each program; otherwise all programs share one exchange, where each has
 * names and topics of its own.
 *
 * ```ts
 * it.live("routes", () => ExchangeLaws.routing({ layer: MyExchange.layer }))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import { exchangePrograms } from "./exchange/program.ts"
import { type ExchangeWorld, runExchangeProgram } from "./exchange/run.ts"
import { holds, type LawBroken, type LawOptions } from "./holds.ts"

export type { ExchangeWorld } from "./exchange/run.ts"

/** Everybody gets what is for it, once, in the order of each sender and topic, and nobody anything else. */
export const routing = <E>(
  world: ExchangeWorld<E> | (() => ExchangeWorld<E>),
  options: Omit<LawOptions, "nodes"> = {},
): Effect.Effect<void, LawBroken> => {
  const property = fc.asyncProperty(exchangePrograms(options.stepsMax), async (program) => {
    const exit = await Effect.runPromiseExit(runExchangeProgram(program, typeof world === "function" ? world() : world))
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  })
  return holds("routing", property, options)
}
