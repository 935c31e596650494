/**
 * A node as it is seen from a shell: the real grpcurl, which knows nothing but what the node tells it.
 */
import { execFile, spawnSync } from "node:child_process"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeDirectory, startNode } from "../cli/program.ts"

const isThere = spawnSync("grpcurl", ["-version"]).error === undefined

// Where all is checked, it must be there.
describe.skipIf(!isThere && process.env["CI"] !== "true")("grpcurl", () => {
  let node: Awaited<ReturnType<typeof startNode>>
  let address = ""
  beforeAll(async () => {
    node = await startNode(makeDirectory())
    address = node.report["grpc"]!.replace("grpc://", "")
  })
  afterAll(() => node.command.stop())

  const grpcurl = async (options: ReadonlyArray<string>, ...rest: ReadonlyArray<string>): Promise<string> =>
    (await promisify(execFile)("grpcurl", ["-plaintext", ...options, address, ...rest])).stdout

  it("lists the services", async () => {
    expect((await grpcurl([], "list")).trim().split("\n")).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "millrace.v1.CursorsService",
      "millrace.v1.MaintenanceService",
      "millrace.v1.QueuesService",
      "millrace.v1.ReplicationService",
      "millrace.v1.StatsService",
      "millrace.v1.SyncService",
      "millrace.v1.TopicsService",
      "msgbus.v1.MsgbusService",
    ])
  })

  it("describes every one of them, and what their methods take and give", async () => {
    for (const service of (await grpcurl([], "list")).trim().split("\n")) {
      const described = await grpcurl([], "describe", service)
      expect(described).toContain(`${service} is a service:`)
      for (const [, type] of described.matchAll(/\( (?:stream )?(\.[\w.]+) \)/g)) {
        expect(await grpcurl([], "describe", type!)).toContain(`${type!.slice(1)} is a message:`)
      }
    }
  }, 60_000)

  it("publishes and fetches", async () => {
    const payload = Buffer.from("grüß dich").toString("base64")
    const request = JSON.stringify({ topic: "shell/a", payload, headers: { kind: "x" } })
    const published = JSON.parse(await grpcurl(["-d", request], "msgbus.v1.MsgbusService/Publish"))
    expect(published.message).toMatchObject({ topic: "shell/a", headId: "1", payload, headers: { kind: "x" } })
    const fetched = await grpcurl(["-d", '{"topic":"shell/a"}'], "msgbus.v1.MsgbusService/Fetch")
    expect(JSON.parse(fetched)).toEqual(published)
  })

  it("asks for the health", async () => {
    for (const service of ["", "msgbus.v1.MsgbusService"]) {
      const health = await grpcurl(["-d", JSON.stringify({ service })], "grpc.health.v1.Health/Check")
      expect(JSON.parse(health)).toEqual({ status: "SERVING" })
    }
  })
})
