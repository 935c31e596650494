/** Readiness: whether a node can do its work now, said from its progress. */
export { layer } from "./layer.ts"
export { Readiness, type ReadinessState, sentence } from "./Readiness.ts"
export { defaultReadinessSettings, ReadinessSettings } from "./ReadinessSettings.ts"
export { StoreWatch, watched } from "./StoreWatch.ts"
