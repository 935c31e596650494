/**
 * What applications test with: topics in memory, arbitraries, the history checker, the ordering laws, the
 * laws of named cursors, of queues and of the exchange, and the conformance suite for storage backends.
 *
 * It needs `fast-check`, `vitest` and `@effect/vitest` beside it.
 */
export * as Arbitraries from "./arbitraries.ts"
export * as CursorLaws from "./cursorLaws.ts"
export * as ExchangeLaws from "./exchangeLaws.ts"
export * as History from "./history.ts"
export * as Laws from "./laws.ts"
export * as QueueLaws from "./queueLaws.ts"
export * as Program from "./program.ts"
export * as Run from "./run.ts"
export { storageSuite } from "./storageSuite.ts"
export { layerMemory } from "./layerMemory.ts"
