/**
 * One of several nodes on one PostgreSQL (`postgresNodes.ts`): publishes so many messages each time it is told to.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeId from "../src/domain/NodeId.ts"
import * as Postgres from "../src/storage/postgres/index.ts"
import { Bus, publishConcurrently } from "./bus.ts"
import type { Publish } from "./postgresNodes.ts"

/** Fibers that publish at a time. */
const publishers = 1000

const name = process.env["MILLRACE_BENCH_NODE"]!
const node = await Effect.runPromise(NodeId.parse(name))
const bus = new Bus(Postgres.layer({ url: Redacted.make(process.env["MILLRACE_BENCH_URL"]!), node }))
await bus.run((topics) => topics.heads)

process.on("message", ({ count }: Publish) => {
  void bus
    .run((topics) => publishConcurrently(topics, publishers, count / publishers, name))
    .then(() => process.send!("done"))
})
process.on("disconnect", () => void bus.close().then(() => process.exit(0)))
process.send!("ready")
