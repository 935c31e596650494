/**
 * A node that an independent client talks to, and nodes as that client writes them.
 */
import { Effect } from "effect"
import { restartable, type TestNodeOptions } from "../protocol/grpc/TestNode.ts"
import * as MsgbusClient from "./MsgbusClient.ts"

/** The node itself, another one, and none. */
export const own = { tenant_id: "tenant", bl_name: "default", device_id: "device" }
export const other = { tenant_id: "tenant", bl_name: "default", device_id: "other" }
export const empty = { tenant_id: "", bl_name: "", device_id: "" }

/** A node, and a client of it. */
export const open = Effect.fnUntraced(function* (options: TestNodeOptions = {}) {
  const node = yield* restartable(options)
  return { node, client: yield* MsgbusClient.make(`127.0.0.1:${node.port}`) }
})
