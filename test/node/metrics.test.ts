/**
 * The metrics of a real node are those that the documentation lists, and say what has happened to it.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { X509Certificate } from "node:crypto"
import { join } from "node:path"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { makeDirectory, run, start, startNode } from "../cli/program.ts"
import { certificate } from "../support/certificates.ts"
import { root } from "../house/project.ts"
import * as Exposition from "./Exposition.ts"
import { obstacle, promtool } from "./promtool.ts"

interface Documented {
  readonly name: string
  readonly type: string
  readonly labels: ReadonlyArray<string>
}

/** The rows of the tables: | `name` | type | `label`, `label` | meaning | */
const documented = (): ReadonlyArray<Documented> => {
  const page = readFileSync(join(root, "docs/metrics.md"), "utf8")
  return [...page.matchAll(/^\| `([a-z0-9_]+)` *\| *(\w+) *\| *([^|]*?) *\|/gm)].map(([, name, type, labels]) => ({
    name: name!,
    type: type!,
    labels: [...labels!.matchAll(/`([a-z]+)`/g)].map(([, label]) => label!).toSorted(),
  }))
}

const labelsOf = ({ samples, type }: Exposition.Family): ReadonlyArray<string> => {
  const names = new Set<string>()
  for (const series of samples.keys()) for (const [, label] of series.matchAll(/[{,]([a-z]+)="/g)) names.add(label!)
  if (type === "histogram") names.delete("le")
  return [...names].toSorted()
}

const scrape = async (admin: string | undefined) => {
  const text = await (await fetch(`${admin}/metrics`)).text()
  // Prometheus looks for itself where it can be had.
  if (obstacle === undefined) expect(promtool(["check", "metrics"], text)).toEqual({ status: 0, said: "" })
  return Exposition.read(text)
}

/** A consumer that fails at its first message: its cursor stays where it was. */
const failOnce = (url: string) =>
  Effect.runPromise(
    Effect.flatMap(Topics.Topics, (topics) => topics.consume("billing", "orders/#", () => Effect.fail("planted"))).pipe(
      Effect.provide(layerTopics({ url })),
      Effect.flip,
    ),
  )

describe("the metrics of a node", () => {
  it("are those that the documentation lists, and tell what has happened", async () => {
    const cwd = makeDirectory()
    // A peer that is not there, and a certificate for it.
    writeFileSync(join(cwd, "own.pem"), certificate.cert)
    writeFileSync(join(cwd, "own.key"), certificate.key)
    const peer = "grpcs://127.0.0.1:1"
    const tls = ["--peer-tls-cert", "own.pem", "--peer-tls-key", "own.key"]
    const { command, report } = await startNode(cwd, ["--node", "t/l/d", "--durable", "live/#", "--peer", peer, ...tls])
    await run(["publish", "orders/eu", "hello"], { cwd })
    await run(["publish", "orders/eu", "--lines"], { cwd, input: "one\ntwo\n" })
    expect((await run(["publish", "a", "x", "--key", "k"], { cwd })).code).toBe(0)
    expect((await run(["publish", "a", "y", "--key", "k"], { cwd })).code).toBe(1)
    await run(["queue", "enqueue", "jobs", "first"], { cwd })
    await run(["queue", "enqueue", "jobs", "second"], { cwd })
    const id = JSON.parse((await run(["queue", "peek", "jobs", "--json"], { cwd })).stdout).id as string
    expect((await run(["queue", "reject", "jobs", id], { cwd })).code).toBe(0)
    expect((await run(["queue", "reject", "jobs", id, "--attempts-max", "2"], { cwd })).code).toBe(0)
    const taker = start(["queue", "take", "jobs"], { cwd })
    await taker.until(({ stdout }) => stdout.includes("second"))
    await failOnce(report["grpc"]!)
    const subscriber = start(["subscribe", "orders/#"], { cwd })
    await subscriber.until(({ stderr }) => stderr.includes("live"))

    const metrics = await scrape(report["admin"])
    const found = [...metrics].map(([name, family]) => ({ name, type: family.type, labels: labelsOf(family) }))
    const byName = (a: Documented, b: Documented) => (a.name < b.name ? -1 : 1)
    expect(found.toSorted(byName)).toEqual(documented().toSorted(byName))

    const value = (series: string) =>
      metrics.get(/^[a-z0-9_]+?(?=(_count|_sum)?(\{|$))/.exec(series)![0])?.samples.get(series)
    expect(value("millrace_ready")).toBe(1)
    expect(value("millrace_messages_stored_total")).toBe(4)
    expect(value("millrace_message_bytes_stored_total")).toBe(3 * "orders/eu".length + "hello".length + 6 + 2)
    expect(value('millrace_publish_failures_total{reason="KeyConflict"}')).toBe(1)
    expect(value("millrace_subscriptions")).toBe(1)
    expect(value('millrace_subscription_lag_messages{filter="orders/#"}')).toBe(0)
    expect(value('millrace_cursor_lag_messages{cursor="billing"}')).toBe(4)
    expect(value("millrace_cursors_held")).toBe(0)
    expect(value('millrace_queue_depth{queue="jobs.dead"}')).toBe(1)
    expect(value('millrace_queue_oldest_item_age_seconds{queue="jobs.dead"}')).toBeGreaterThan(0)
    expect(value('millrace_queue_operations_total{operation="enqueue"}')).toBe(2)
    expect(value('millrace_queue_operations_total{operation="reject"}')).toBe(2)
    expect(value("millrace_queue_redeliveries_total")).toBe(1)
    expect(value("millrace_queue_dead_items_total")).toBe(1)
    expect(value("millrace_queue_takers")).toBe(1)
    expect(value('millrace_grpc_calls_open{kind="stream"}')).toBe(2)
    expect(value("millrace_grpc_connections")).toBe(2)
    expect(value('millrace_grpc_calls_total{method="millrace.v1.QueuesService/Enqueue",code="OK"}')).toBe(2)
    expect(value('millrace_store_file_bytes{file="wal"}')).toBeGreaterThan(0)
    expect(value("millrace_disk_free_bytes")).toBeGreaterThan(0)
    const until = Date.parse(new X509Certificate(certificate.cert).validTo) / 1000
    expect(value('millrace_tls_certificate_expires_timestamp_seconds{to="peers"}')).toBe(until)
    expect(value(`millrace_sync_failures{peer="${peer}"}`)).toBeGreaterThan(0)
    expect(value(`millrace_sync_last_success_timestamp_seconds{peer="${peer}"}`)).toBe(0)
    expect(value(`millrace_sync_lag_messages{peer="${peer}"}`)).toBe(0)
    expect(value(`millrace_sync_messages_accepted_total{peer="${peer}"}`)).toBe(0)

    await taker.stop("SIGINT")
    await subscriber.stop("SIGINT")
    expect([...(await scrape(report["admin"])).keys()]).not.toContain("millrace_subscription_lag_messages")
    await command.stop()
  })
})
