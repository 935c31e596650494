/**
 * Traces go through processes: who publishes, the node, and who works on what was published are parts of one. Metrics
 * and logs go to the collector too.
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { makeDirectory, startNode } from "../cli/program.ts"
import { Collector } from "./Collector.ts"

const app = fileURLToPath(new URL("./tracedApp.ts", import.meta.url))

const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 }

/** The collector gets everything soon, and as JSON. */
const env = {
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "50",
  OTEL_METRIC_EXPORT_INTERVAL: "200",
  OTEL_BLRP_SCHEDULE_DELAY: "50",
}

describe("a trace", () => {
  it("goes from who publishes through the node to who works on it, each in a process of its own", async () => {
    const collector = new Collector()
    const url = await collector.start()
    const node = await startNode(makeDirectory(), ["--otlp", url], { env: { ...env, OTEL_SERVICE_NAME: "bus" } })
    const runApp = (mode: string) =>
      promisify(execFile)(process.execPath, [app, mode, url, node.report["grpc"]!], { timeout: 30_000 })

    await runApp("publish")
    const checkout = await collector.span("publish", "checkout")
    const sent = await collector.until(({ spans }) =>
      spans.find(({ name, parentSpanId }) => name === "publish orders/eu" && parentSpanId === checkout.spanId),
    )
    expect(sent).toMatchObject({
      service: "publish",
      traceId: checkout.traceId,
      kind: kinds.producer,
      attributes: {
        "messaging.system": "millrace",
        "messaging.operation.type": "send",
        "messaging.destination.name": "orders/eu",
        "millrace.message.offset": 1,
      },
    })
    const stored = await collector.until(({ spans }) => spans.find(({ parentSpanId }) => parentSpanId === sent.spanId))
    expect(stored).toMatchObject({ service: "bus", name: "publish orders/eu", traceId: checkout.traceId })

    // The commit belongs to all who share it: a trace of its own, and a link in either direction.
    const commit = await collector.until(({ spans }) =>
      spans.find(
        ({ links, name }) => name === "commit messages" && links.some(({ spanId }) => spanId === stored.spanId),
      ),
    )
    expect(commit.traceId).not.toBe(checkout.traceId)
    expect(commit.attributes).toMatchObject({ "millrace.commit.writes": 1 })
    expect(stored.links).toContainEqual(expect.objectContaining({ spanId: commit.spanId, traceId: commit.traceId }))

    for (const [mode, work] of [
      ["follow", "pack"],
      ["consume", "bill"],
    ] as const) {
      await runApp(mode)
      const worked = await collector.span(mode, "process orders/eu")
      expect(worked).toMatchObject({ traceId: checkout.traceId, parentSpanId: sent.spanId, kind: kinds.consumer })
      expect(await collector.span(mode, work)).toMatchObject({ parentSpanId: worked.spanId })
    }
    await node.command.stop()
  })

  it("goes through a queue, and through a call in between", async () => {
    const collector = new Collector()
    const url = await collector.start()
    const node = await startNode(makeDirectory(), [], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url } })
    const runApp = (mode: string) =>
      promisify(execFile)(process.execPath, [app, mode, url, node.report["grpc"]!], { timeout: 30_000 })

    await runApp("enqueue")
    const register = await collector.span("enqueue", "register")
    const sent = await collector.span("enqueue", "enqueue mails")
    expect(sent).toMatchObject({ traceId: register.traceId, parentSpanId: register.spanId })
    const call = await collector.span("enqueue", "millrace.v1.QueuesService/Enqueue")
    expect(call).toMatchObject({ parentSpanId: sent.spanId, kind: kinds.client })
    const served = await collector.span("millrace", "millrace.v1.QueuesService/Enqueue")
    expect(served).toMatchObject({
      traceId: register.traceId,
      parentSpanId: call.spanId,
      kind: kinds.server,
      attributes: { "rpc.method": "Enqueue", "rpc.grpc.status_code": 0 },
    })

    const stored = await collector.span("millrace", "enqueue mails")
    const commit = await collector.span("millrace", "commit operations on queues")
    expect(commit.links).toEqual([expect.objectContaining({ spanId: stored.spanId })])

    await runApp("take")
    const worked = await collector.span("take", "process mails")
    expect(worked).toMatchObject({ traceId: register.traceId, parentSpanId: sent.spanId, kind: kinds.consumer })
    expect(await collector.span("take", "send mail")).toMatchObject({ parentSpanId: worked.spanId })

    await collector.until(({ metrics }) => (metrics.has("millrace_commits_total") ? true : undefined))
    await collector.until(({ metrics }) => (metrics.has("millrace_store_file_bytes") ? true : undefined))
    await node.command.stop()
    expect(await collector.until(({ logs }) => logs.find(({ text }) => text.includes("stopping")))).toMatchObject({
      service: "millrace",
    })
  })
})
