/**
 * Where a storage thread begins: it sees to it that the rest loads quickly, and loads it.
 */
import "./quickResolve.ts"

await import("./host.ts")
