/**
 * A node that runs: where it listens, and what it says of itself when it is ready.
 */
import * as Context from "effect/Context"

export interface NodeReport {
  /** `tenant/line/device` */
  readonly node: string
  /** URLs; absent where the listener is off. */
  readonly grpc?: string
  /** Endpoints of the live plane, as `dial` takes them. */
  readonly busrt?: ReadonlyArray<string>
  readonly admin?: string
  /** Absolute path of the data directory. */
  readonly data: string
  /** As in `--storage`, with its path. */
  readonly storage: string
  readonly durability: string
}

export class RunningNode extends Context.Service<RunningNode, NodeReport>()("millrace/node/RunningNode") {}

/** The line that says that a node is ready, for people. */
export const readyLine = ({ node, grpc, busrt = [], admin, data, storage, durability }: NodeReport): string =>
  [
    `millrace ready`,
    `node=${node}`,
    ...(grpc === undefined ? [] : [`grpc=${grpc}`]),
    ...busrt.map((endpoint) => `busrt=${endpoint}`),
    ...(admin === undefined ? [] : [`admin=${admin}`]),
    `storage=${storage}`,
    `durability=${durability}`,
    `data=${data}`,
  ].join(" ")

/** The same for programs: one JSON object. */
export const readyJson = (report: NodeReport): string =>
  JSON.stringify({ millrace: "ready", pid: process.pid, ...report })
