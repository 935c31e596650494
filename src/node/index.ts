/** A node: its configuration, and the layer that runs it. */
export { ConfigInvalid } from "./ConfigInvalid.ts"
export * as ConfigSources from "./ConfigSources.ts"
export { type Endpoints } from "./EndpointsFile.ts"
export { layer, type NodeError } from "./Node.ts"
export { NodeConfig, type NodeConfigText, settings } from "./NodeConfig.ts"
export { type NodeReport, readyJson, readyLine, RunningNode } from "./RunningNode.ts"
export { StartFailed } from "./StartFailed.ts"
